"""fork_latency: modelled time of fork by policy, and how far it hangs on costs that are only assumed."""

from fractions import Fraction
from itertools import repeat

from markupsafe import Markup

from cowbench.costs import CostProfile
from cowbench.report import figures, html, sensitivity
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.report.sensitivity import Change
from cowbench.summary import Cell, Table, number


class ForkLatency(Section):
    title = "Fork latency (modelled)"
    order = 50

    def render(self, results: Results) -> Markup:
        table = _microseconds(results.table("fork_ns_mean"))
        workloads = [
            w for w in results.workloads if any(table[p, w].values for p in results.policies if (p, w) in table)
        ]
        if not workloads:
            return html.paragraph("No workload that ran here forks, so there is no fork to time.")
        about = (
            "Counts of what each fork did, times the costs of the profile: never the simulator's own time. "
            "A failed fork pays for what it did before it failed."
        )
        parts = [
            html.paragraph(about),
            _drawn(table, results.policies, workloads),
            html.matrix(
                table, results.policies, workloads, "Mean modelled time of a fork (microseconds, means over seeds)"
            ),
        ]
        return html.join([*parts, _sensitivity(results)])


def _microseconds(table: Table) -> Table:
    return {pair: Cell(tuple(Fraction(ns, 1000) for ns in cell.values), cell.status) for pair, cell in table.items()}


def _drawn(table: Table, policies: list[str], workloads: list[str]) -> Markup:
    with figures.figure(9, 1.0 + 0.32 * len(policies)) as (drawn, axes):
        for row, policy in enumerate(policies[::-1]):
            means = [table[policy, workload].mean for workload in workloads if (policy, workload) in table]
            times = [float(mean) for mean in means if mean]
            axes.plot(times, [row] * len(times), "o", color=figures.COLOURS[0], alpha=0.6, markersize=6)
        axes.set_yticks(range(len(policies)), policies[::-1])
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda time, _: f"{time:,.0f}")
        axes.xaxis.set_minor_formatter(lambda *_: "")
        axes.set_xlabel("mean modelled time of a fork, microseconds; one dot a workload")
        return figures.svg(drawn, "Mean fork time of each policy on each workload; numbers in the table below")


def _sensitivity(results: Results) -> Markup:
    profile = results.profile
    if profile is None:
        words = "Rows of several cost profiles are mixed here; run again with one to see how far it matters."
        return html.paragraph(words)
    changes = list(sensitivity.changes(results.rows, profile))
    if not changes:
        return html.paragraph(f"Every cost of profile {profile.name} was measured; nothing is assumed.")
    times = sensitivity.fork_times(results.rows, profile)
    about = (
        f"Each cost that profile {profile.name} only assumes is halved and doubled here, all else equal. As assumed, "
        f"{number(sensitivity.differing(times))} pairs of policies differ on a workload, and the slowest takes up to "
        f"{number(sensitivity.slowdown(times))} times as long as the fastest."
    )
    head = [
        "assumed cost",
        "ns",
        "taken as",
        "pairs that turn",
        "pairs that part or meet",
        "slowest / fastest, at most",
    ]
    table = html.table(
        head, map(_change, changes, repeat(profile)), "How far verdicts about fork hang on assumed costs"
    )
    return html.join([html.paragraph(about), table])


def _change(change: Change, profile: CostProfile) -> html.Cells:
    numbers = [number(change.turned), number(change.parted), number(change.slowdown)]
    cost = f"{profile.costs[change.entry].ns:g}"
    taken = "half" if change.factor < 1 else "double"
    return [change.entry.replace("_", " "), html.Shaded(cost), taken, *map(html.Shaded, numbers)]
