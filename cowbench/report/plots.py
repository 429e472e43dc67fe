"""The figures of studies: a metric over a parameter, a line a policy; or the plane of two parameters, by the winner."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from cowbench.report import figures
from cowbench.report.model import Cell, Line, Mark, Table, count
from cowbench.report.model import Figure as Drawn
from cowbench.report.prose import spaced
from cowbench.schema import BY_NAME
from cowbench.study.definition import Figure
from cowbench.study.rows import Rows
from cowbench.summary import number

MARKERS = "os^Dv<>P*X"
HEIGHT = 3.4


def draw(figure: Figure, rows: Rows, name: str) -> Drawn:
    """Draw a figure of a study; its numbers stand in `table`."""
    if figure.kind == "regimes":
        return _regimes(figure, rows, name)
    return _releases(figure, rows, name) if figure.x == "policy" else _lines(figure, rows, name)


def table(figure: Figure, rows: Rows, name: str) -> Table:
    """Return the numbers of a figure: a line a value of x (and of `by`), a column a policy."""
    policies = _policies(rows)
    if figure.x == "policy":
        short: tuple[Line, ...] = tuple(
            (policy, count(_mean(rows.only(policy=policy), figure.y))) for policy in policies
        )
        return Table(name, figure.title, ("policy", spaced(figure.y)), short)
    axes = [figure.x, *filter(None, [figure.by])]
    points = sorted({tuple(rows.of(row, axis) for axis in axes) for row in rows.rows})
    lines: tuple[Line, ...] = tuple(
        (*(Cell(f"{value:g}", value) for value in point), *_means(figure, rows, dict(zip(axes, point, strict=True))))
        for point in points
    )
    return Table(name, figure.title, (*axes, *policies), lines)


def _means(figure: Figure, rows: Rows, point: dict[str, Any]) -> list[Cell]:
    here = rows.only(**point)
    found = {policy: here.only(policy=policy) for policy in _policies(rows)}
    return [count(_mean(some, figure.y)) if len(some) else Cell("-") for some in found.values()]


def _mean(rows: Rows, metric: str) -> Fraction:
    return Fraction(rows.sum(metric), len(rows))


def _policies(rows: Rows) -> list[str]:
    """Return the policies in the order of the experiment."""
    return list(dict.fromkeys(rows.values("policy")))


def _lines(figure: Figure, rows: Rows, name: str) -> Drawn:
    marks: dict[str, Mark] = {}
    with figures.figure(9, HEIGHT) as (drawn, axes):
        for index, policy in enumerate(_policies(rows)):
            means = rows.only(policy=policy).by(figure.x, figure.y)
            colour, marker = figures.COLOURS[index % len(figures.COLOURS)], MARKERS[index % len(MARKERS)]
            axes.plot(list(means), list(means.values()), marker + "-", color=colour, label=policy, markersize=5)
            for at, mean in means.items():
                (dot,) = axes.plot(at, mean, marker, color=colour, markersize=5)
                figures.mark(marks, dot, f"{policy}, {figure.x} {at:g}: {number(Fraction(mean))}", policy)
        _label(figure, axes, figure.x)
        drawn.legend(loc="outside lower center", ncols=3)
        return figures.finish(drawn, name, figure.title, f"{figure.title}; numbers in the table below", marks)


def _releases(figure: Figure, rows: Rows, name: str) -> Drawn:
    policies, marks = _policies(rows), dict[str, Mark]()
    with figures.figure(9, 1.0 + 0.32 * len(policies)) as (drawn, axes):
        for row, policy in enumerate(policies[::-1]):
            mean = rows.only(policy=policy).mean(figure.y)
            (bar,) = axes.barh(row, mean, color=figures.COLOURS[0])
            figures.mark(marks, bar, f"{policy}: {number(Fraction(mean))}", policy)
            axes.annotate(number(Fraction(mean)), (mean, row), xytext=(4, 0), textcoords="offset points", va="center")
        axes.set_yticks(range(len(policies)), policies[::-1])
        if figure.log:
            axes.set_xscale("symlog", linthresh=1)
            axes.xaxis.set_major_formatter(_plain)
        axes.margins(x=0.12)
        axes.set_xlabel(f"{spaced(figure.y)}, mean a trial")
        return figures.finish(drawn, name, figure.title, f"{figure.title}; numbers in the table below", marks)


def _regimes(figure: Figure, rows: Rows, name: str) -> Drawn:
    """Colour each point of the plane by the policy with the best value; where several are best, hatch it."""
    policies, marks = _policies(rows), dict[str, Mark]()
    across, up = rows.axis(figure.x), rows.axis(figure.by)
    with figures.figure(9, 1.6 + 0.45 * len(up)) as (drawn, axes):
        for i, x in enumerate(across):
            for j, y in enumerate(up):
                best = winners(rows.only(**{figure.x: x, figure.by: y}), figure.y)
                if not best:
                    continue
                colour = figures.COLOURS[policies.index(best[0]) % len(figures.COLOURS)]
                hatch = "////" if len(best) > 1 else ""
                (patch,) = axes.bar(i, 1, 1, j - 0.5, color=colour, hatch=hatch, edgecolor=figures.INK, linewidth=0.4)
                figures.mark(marks, patch, f"{figure.x} {x:g}, {figure.by} {y:g}: {', '.join(best)}")
                axes.text(i, j, best[0] if len(best) == 1 else f"{len(best)} tie", ha="center", va="center", fontsize=7)
        axes.set_xticks(range(len(across)), [f"{x:g}" for x in across])
        axes.set_yticks(range(len(up)), [f"{y:g}" for y in up])
        axes.set_xlabel(figure.x)
        axes.set_ylabel(figure.by)
        words = f"{figure.title}: best {spaced(figure.y)}; hatched: a tie"
        return figures.finish(drawn, name, words, f"{words}; numbers in the table below", marks)


def winners(rows: Rows, metric: str) -> list[str]:
    """Return the policies whose mean of a metric is the best, by the metric's better direction; several if they tie."""
    means = {policy: rows.only(policy=policy).mean(metric) for policy in _policies(rows)}
    if not means:
        return []
    best = max(means.values()) if BY_NAME[metric].better == "higher" else min(means.values())
    return [policy for policy, mean in means.items() if mean == best]


def _label(figure: Figure, axes: Any, x: str) -> None:
    if figure.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(_plain)
            axis.set_minor_formatter(lambda *_: "")
    axes.set_xlabel(x)
    axes.set_ylabel(f"{spaced(figure.y)}, mean a trial", fontsize=9)


def _plain(value: float, _: float) -> str:
    return f"{value:,.0f}"


def numbered(figures_: Sequence[Figure], question: str) -> list[tuple[Figure, str]]:
    """Return figures with names that are unique in a chapter."""
    return [(figure, f"{question.replace('_', '-')}-{number}") for number, figure in enumerate(figures_, start=1)]
