"""fork_latency: modelled time of fork by policy, and how far it hangs on costs that are only assumed."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from cowbench.costs import CostProfile
from cowbench.report import figures, sensitivity, tables
from cowbench.report.model import Block, Cell, Figure, Line, Mark, Paragraph, Table, count
from cowbench.report.prose import spaced
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.report.sensitivity import Change
from cowbench.summary import Cell as Value
from cowbench.summary import Table as Values
from cowbench.summary import number


class ForkLatency(Section):
    title = "Fork latency (modelled)"
    order = 50

    def build(self, results: Results) -> Iterator[Block]:
        values = _microseconds(results.table("fork_ns_mean"))
        forking = {workload for (_, workload), value in values.items() if value.values}
        workloads = [workload for workload in results.workloads if workload in forking]
        if not workloads:
            yield Paragraph("No workload that ran here forks, so there is no fork to time.")
            return
        yield Paragraph(
            "Counts of what each fork did, times the costs of the profile: never the simulator's own time. "
            "A failed fork pays for what it did before it failed."
        )
        yield _drawn(values, results.policies, workloads)
        caption = "Mean modelled time of a fork (microseconds, means over seeds)"
        yield tables.matrix("fork-latency", caption, values, results.policies, workloads)
        yield from _sensitivity(results)


def _microseconds(table: Values) -> Values:
    return {pair: Value(tuple(Fraction(ns, 1000) for ns in cell.values), cell.status) for pair, cell in table.items()}


def _drawn(table: Values, policies: Sequence[str], workloads: Sequence[str]) -> Figure:
    marks: dict[str, Mark] = {}
    with figures.figure(9, 1.0 + 0.32 * len(policies)) as (drawn, axes):
        for row, policy in enumerate(policies[::-1]):
            for workload in workloads:
                mean = table[policy, workload].mean if (policy, workload) in table else None
                if mean:
                    (dot,) = axes.plot(float(mean), row, "o", color=figures.COLOURS[0], alpha=0.6, markersize=6)
                    figures.mark(marks, dot, f"{policy} on {workload}: {number(mean)} µs", policy)
        axes.set_yticks(range(len(policies)), policies[::-1])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda time, _: f"{time:,.0f}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        axes.set_xlabel("mean modelled time of a fork, microseconds")
        alt = "Mean fork time of each policy on each workload; numbers in the table below"
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
