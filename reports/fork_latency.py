"""fork_latency: time of fork by policy, along pinned memory and sharers, and how far it hangs on assumed costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from cowbench.costs import CostProfile
from cowbench.report import figures, sensitivity
from cowbench.report.curves import Curve, curves, step
from cowbench.report.model import Block, Bullets, Cell, Figure, Line, Mark, Paragraph, Strong, Table, Words, count
from cowbench.report.prose import series, spaced
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.report.sensitivity import Change
from cowbench.summary import Table as Values
from cowbench.summary import number

if TYPE_CHECKING:
    from matplotlib.axis import Axis

AXES = {
    ("all_pinned", "pages"): ("pinned memory", "MiB", Fraction(4, 1024)),
    ("many_sharers", "children"): ("children that share the pages", "", Fraction(1)),
}
"""(workload, parameter) -> what it is, its unit, units in one of the parameter; others go by their own name."""
NAMED = 4
"""Policies named in a label; the table has all."""
LABELLED = 12
"""Lines named below a figure; the table has all."""
WIDE = 10
"""Times that differ by more are drawn on a logarithmic axis."""
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


class ForkLatency(Section):
    title = "Fork latency"
    order = 50

    def build(self, results: Results) -> Iterator[Block]:
        values = results.table("fork_ns_mean")
        forking = {workload for (_, workload), value in values.items() if value.values}
        workloads = [workload for workload in results.workloads if workload in forking]
        if not workloads:
            yield Paragraph("No workload that ran here forks, so there is no fork to time.")
            return
        yield Paragraph(
            "Modelled: counts of what each fork did, times the costs of the profile; never the simulator's own time. A "
            "failed fork pays for what it did before it failed."
        )
        if results.kernels:
            yield Paragraph(f"Measured on a real kernel, not modelled: {series(results.kernels)}.")
        for curve in curves(results):
            yield from _along(results, curve)
        yield _drawn(values, results.everyone, workloads)
        yield from _sensitivity(results)


def _along(results: Results, curve: Curve) -> Iterator[Block]:
    what, unit, scale = _axis(curve)
    yield Paragraph((Strong(f"Against {what}"), f" ({curve.workload}), the slowest fork of a trial takes, under"))
    slowest = tuple(_told(curve, series(names), times) for names, times in curve.groups())
    typical = tuple(_told(curve, f"{kernel}, median fork", times) for kernel, times in curve.medians.items())
    yield Bullets(slowest + typical)
    yield _curves(results, curve)
    head = ("policy", *(f"{number(value * scale)} {unit}".strip() for value in curve.values))
    named = [(policy, policy, times) for policy, times in curve.times.items()]
    named += [(f"{kernel}, median fork", kernel, times) for kernel, times in curve.medians.items()]
    rows: tuple[Line, ...] = tuple(
        (Cell(name, group=group), *(count(time / 1000, group=group) if time is not None else "" for time in times))
        for name, group, times in named
    )
    yield Table(f"along-{curve.workload}", f"Slowest fork against {what}, in microseconds", head, rows)


def _axis(curve: Curve) -> tuple[str, str, Fraction]:
    own = (f"{curve.parameter} of {curve.workload}", "", Fraction(1))
    return AXES.get((curve.workload, curve.parameter), own)


def _told(curve: Curve, name: str, times: Sequence[Fraction | None]) -> Words:
    """Say how fork time goes along a curve: it stays, steps or grows."""
    _, unit, scale = _axis(curve)
    points = [(value, time) for value, time in zip(curve.values, times, strict=True) if time is not None]
    at = [f"{number(value * scale)} {unit}".strip() for value, _ in points]
    took = [_time(time) for _, time in points]
    who = Strong(name)
    jump = step([time for _, time in points])
    if len(points) == 1:
        return (who, f": {took[0]} at {at[0]}.")
    if len(set(took)) == 1:
        return (who, f": {took[0]} throughout.")
    if jump is not None:
        return (who, f": {took[0]} up to {at[jump - 1]}, {took[jump]} from {at[jump]} on.")
    return (who, f": from {took[0]} at {at[0]} to {took[-1]} at {at[-1]}.")


def _time(ns: Fraction) -> str:
    return f"{number(ns / 1_000_000)} ms" if ns >= 1_000_000 else f"{number(ns / 1000)} µs"


def _curves(results: Results, curve: Curve) -> Figure:
    what, unit, scale = _axis(curve)
    marks: dict[str, Mark] = {}
    groups = curve.groups()
    with figures.figure(9, 2.8 + 0.24 * min(len(groups), LABELLED)) as (drawn, axes):
        for place, (names, times) in enumerate(groups):
            points = [
                (float(value * scale), float(time / 1000))
                for value, time in zip(curve.values, times, strict=True)
                if time is not None
            ]
            (line,) = axes.plot(
                *zip(*points, strict=True),
                linestyle="none" if set(names) & set(results.kernels) else LINES[place % len(LINES)],
                marker=MARKERS[place % len(MARKERS)],
                color=figures.COLOURS[place % len(figures.COLOURS)],
                label=series(names, NAMED) if place < LABELLED else None,
            )
            figures.mark(marks, line, series(names), names[0] if len(names) == 1 else "")
        measured = [time for times in curve.times.values() for time in times if time]
        _logarithmic(axes.xaxis, "x")
        if max(measured, default=0) > WIDE * min(measured, default=0):
            _logarithmic(axes.yaxis, "y")
        else:
            axes.set_ylim(bottom=0)
        axes.set_xlabel(f"{what}, {unit}" if unit else what)
        axes.set_ylabel("slowest fork, µs")
        drawn.legend(loc="outside lower center", ncols=1)
        caption = f"Slowest fork against {what}"
        if len(groups) > LABELLED:
            caption += f"; of {len(groups)} lines the {LABELLED} fastest are named"
        alt = f"{caption}, one line for all policies with the same times; numbers in the table below"
        return figures.finish(drawn, f"curve-{curve.workload}", caption, alt, marks)


def _logarithmic(axis: Axis, name: str) -> None:
    getattr(axis.axes, f"set_{name}scale")("log")
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axis.set_minor_formatter(lambda *_: "")


def _drawn(table: Values, policies: Sequence[str], workloads: Sequence[str]) -> Figure:
    marks: dict[str, Mark] = {}
    with figures.figure(9, 1.0 + 0.32 * len(policies)) as (drawn, axes):
        for row, policy in enumerate(policies[::-1]):
            for workload in workloads:
                mean = table[policy, workload].mean if (policy, workload) in table else None
                if mean:
                    (dot,) = axes.plot(float(mean / 1000), row, "o", color=figures.COLOURS[0], alpha=0.6, markersize=6)
                    figures.mark(marks, dot, f"{policy} on {workload}: {_time(mean)}", policy)
        axes.set_yticks(range(len(policies)), policies[::-1])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda time, _: f"{time:,.0f}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        axes.set_xlabel("mean time of a fork, microseconds")
        alt = "Mean fork time of each policy on each workload; numbers in the matrix of all policies"
        return figures.finish(drawn, "fork-times", "Fork latency: one dot a workload", alt, marks)


def _sensitivity(results: Results) -> Iterator[Block]:
    profile = results.profile
    if profile is None:
        yield Paragraph("Rows of several cost profiles are mixed here; run again with one to see how far it matters.")
        return
    changes = list(sensitivity.changes(results.rows, profile))
    if not changes:
        yield Paragraph(f"Every cost of profile {profile.name} was measured; nothing is assumed.")
        return
    times = sensitivity.fork_times(results.rows, profile)
    yield Paragraph(
        f"Each cost that profile {profile.name} only assumes is halved and doubled here, all else equal. As assumed, "
        f"{number(sensitivity.differing(times))} pairs of policies differ on a workload, and the slowest takes up to "
        f"{number(sensitivity.slowdown(times))} times as long as the fastest."
    )
    head = (
        "assumed cost",
        "ns",
        "taken as",
        "pairs that turn",
        "pairs that part or meet",
        "slowest / fastest, at most",
    )
    rows = tuple(_change(change, profile) for change in changes)
    yield Table("sensitivity", "How far verdicts about fork hang on assumed costs", head, rows)


def _change(change: Change, profile: CostProfile) -> Line:
    ns = profile.costs[change.entry].ns
    taken = "half" if change.factor < 1 else "double"
    counts = (count(number) for number in (change.turned, change.parted, change.slowdown))
    return (spaced(change.entry), Cell(f"{ns:g}", ns), taken, *counts)
