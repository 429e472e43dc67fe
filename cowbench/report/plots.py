"""The figures of studies and grids: a metric over a parameter, a line a policy; or the plane of two, by the winner."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from cowbench.report import figures
from cowbench.report.model import Cell, Line, Mark, Table, count
from cowbench.report.model import Figure as Drawn
from cowbench.report.prose import spaced
from cowbench.report.regimes import regimes, say
from cowbench.study import evaluate
from cowbench.study.definition import Figure
from cowbench.study.rows import Rows
from cowbench.summary import number

MARKERS = "os^Dv<>P*X"
HEIGHT = 3.4
LAW = "closed form"


def draw(figure: Figure, rows: Rows, name: str, measured: Rows | None = None) -> Drawn:
    """Draw a figure of a study; its numbers stand in `table`. measured: rows of real kernels, shown as points."""
    rows = rows.only(**figure.where)
    if figure.kind == "regimes":
        return regimes(rows, (figure.x, figure.by), figure.y, figure.title, name)
    return _releases(figure, rows, name) if figure.x == "policy" else _lines(figure, rows, name, measured)


def table(figure: Figure, rows: Rows, name: str, measured: Rows | None = None) -> Table:
    """Return the numbers of a figure: a line a value of x (and of `by`), a column a policy."""
    rows = rows.only(**figure.where)
    if figure.x == "policy":
        short: tuple[Line, ...] = tuple(
            (policy, _count(_mean(rows.only(policy=policy), figure.y))) for policy in policies(rows)
        )
        return Table(name, figure.title, ("policy", spaced(figure.y)), short)
    return numbers(figure, rows, name, measured)


def numbers(figure: Figure, rows: Rows, name: str, measured: Rows | None = None) -> Table:
    """Return means over one or two parameters; those of real kernels, and what the law says, come last."""
    axes = [figure.x, *filter(None, [figure.by])]
    points = sorted({tuple(rows.of(row, axis) for axis in axes) for row in rows.rows})
    kernels = _on_kernels(figure, measured)
    lines: list[Line] = []
    for point in points:
        at = dict(zip(axes, point, strict=True))
        cells = [_cell(some.only(**at), figure.y) for some in (*_by_policy(rows).values(), *kernels.values())]
        law = [_count(Fraction(_law(figure, at[figure.x])))] if figure.law else []
        lines.append((*map(_value, point), *cells, *law))
    head = (*axes, *_by_policy(rows), *kernels, *([LAW] if figure.law else []))
    return Table(name, figure.title, head, tuple(lines))


def policies(rows: Rows) -> list[str]:
    """Return the policies in the order of the experiment."""
    return list(dict.fromkeys(rows.values("policy")))


def numbered(figures_: Sequence[Figure], question: str) -> list[tuple[Figure, str]]:
    """Return figures with names that are unique in a chapter."""
    return [(figure, f"{question.replace('_', '-')}-{number}") for number, figure in enumerate(figures_, start=1)]


def _by_policy(rows: Rows) -> dict[str, Rows]:
    return {policy: rows.only(policy=policy) for policy in policies(rows)}


def _on_kernels(figure: Figure, measured: Rows | None) -> dict[str, Rows]:
    """Return the rows of real kernels that a figure shows, by kernel: those where its metric was measured."""
    if measured is None or not len(measured):
        return {}
    seen = [row for row in measured.only(**figure.where).rows if row[figure.y] is not None]
    return _by_policy(Rows(seen, "measured"))


def _value(value: Any) -> Cell:
    return Cell(value) if isinstance(value, str) else Cell(say(value), value)


def _cell(rows: Rows, metric: str) -> Cell:
    return _count(_mean(rows, metric)) if len(rows) else Cell("-")


def _count(value: Fraction) -> Cell:
    """Return the cell of a number; small ones keep three digits."""
    return count(value) if value.denominator == 1 or abs(value) >= 10 else Cell(f"{float(value):.3g}", float(value))


def _mean(rows: Rows, metric: str) -> Fraction:
    return Fraction(rows.sum(metric), len(rows))


def _law(figure: Figure, x: float) -> float:
    return float(evaluate.value(figure.law, {"math": math, figure.x: x}, figure.title))


def _lines(figure: Figure, rows: Rows, name: str, measured: Rows | None) -> Drawn:
    marks: dict[str, Mark] = {}
    with figures.figure(9, HEIGHT) as (drawn, axes):
        _draw_law(figure, rows, axes)
        for index, (alike, means) in enumerate(_alike(rows, figure)):
            colour, marker = figures.COLOURS[index % len(figures.COLOURS)], MARKERS[index % len(MARKERS)]
            axes.plot(list(means), list(means.values()), marker + "-", color=colour, label=alike, markersize=5)
            _points(figure, axes, marks, alike, means, colour=colour, marker=marker)
        for index, (kernel, some) in enumerate(_on_kernels(figure, measured).items()):
            means, colour = some.by(figure.x, figure.y), figures.COLOURS[-1 - index % len(figures.COLOURS)]
            axes.plot(list(means), list(means.values()), "o", mfc="none", mec=colour, label=f"{kernel}, measured")
            _points(figure, axes, marks, kernel, means, colour=colour, marker="o", mfc="none")
        _label(figure, axes, figure.x)
        labels = axes.get_legend_handles_labels()[1]
        drawn.legend(loc="outside lower center", ncols=figures.columns(labels))
        return figures.finish(drawn, name, figure.title, f"{figure.title}; numbers in the table below", marks)


def _alike(rows: Rows, figure: Figure) -> list[tuple[str, dict[Any, float]]]:
    """Return the lines: policies with the same means are one, so that none hides another."""
    found: dict[tuple[tuple[Any, float], ...], list[str]] = {}
    for policy, some in _by_policy(rows).items():
        found.setdefault(tuple(some.by(figure.x, figure.y).items()), []).append(policy)
    return [(", ".join(names), dict(means)) for means, names in found.items()]


def _points(
    figure: Figure, axes: Any, marks: dict[str, Mark], who: str, means: dict[Any, float], *, colour: str, **look: Any
) -> None:
    for at, mean in means.items():
        (dot,) = axes.plot(at, mean, color=colour, markersize=5, linestyle="", **look)
        hint = f"{who}, {figure.x} {say(at)}: {number(Fraction(mean))}"
        figures.mark(marks, dot, hint, who if ", " not in who else "")


def _draw_law(figure: Figure, rows: Rows, axes: Any) -> None:
    if figure.law:
        low, high = rows.axis(figure.x)[0], rows.axis(figure.x)[-1]
        across = [low + (high - low) * step / 100 for step in range(101)]
        axes.plot(across, [_law(figure, x) for x in across], "--", color=figures.INK, linewidth=1, label=LAW)


def _releases(figure: Figure, rows: Rows, name: str) -> Drawn:
    marks: dict[str, Mark] = {}
    below = list(_by_policy(rows).items())[::-1]
    with figures.figure(9, 1.0 + 0.32 * len(below)) as (drawn, axes):
        for row, (policy, some) in enumerate(below):
            mean = some.mean(figure.y)
            (bar,) = axes.barh(row, mean, color=figures.COLOURS[0])
            figures.mark(marks, bar, f"{policy}: {number(Fraction(mean))}", policy)
            axes.annotate(number(Fraction(mean)), (mean, row), xytext=(4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(below)), [policy for policy, _ in below])
        if figure.log:
            axes.set_xscale("symlog", linthresh=1)
            axes.xaxis.set_major_formatter(_plain)
        axes.margins(x=0.12)
        axes.set_xlabel(f"{spaced(figure.y)}, mean a trial")
        return figures.finish(drawn, name, figure.title, f"{figure.title}; numbers in the table below", marks)


def _label(figure: Figure, axes: Any, x: str) -> None:
    if figure.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        if figure.log or axis.get_view_interval()[1] >= 1000:
            axis.set_major_formatter(_plain)
        if figure.log:
            axis.set_minor_formatter(lambda *_: "")
    axes.set_xlabel(x)
    axes.set_ylabel(f"{spaced(figure.y)},\nmean a trial", fontsize=9)


def _plain(value: float, _: float) -> str:
    return f"{value:,.0f}"
