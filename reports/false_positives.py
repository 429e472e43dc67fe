"""false_positives: copies of frames that nobody else observed, and why they were made."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from cowbench.ledger import CAUSES
from cowbench.report import figures, tables
from cowbench.report.model import Block, Figure, Line, Mark, Paragraph, Table, count
from cowbench.report.prose import spaced
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.summary import number

Sums = Mapping[str, Mapping[str, Fraction]]
"""cause -> policy -> needless copies."""


class FalsePositives(Section):
    title = "Needless copies and their causes"
    order = 30

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            yield Paragraph("No trials, no needless copies.")
            return
        yield Paragraph("Copies of frames that nobody but the writer observed: false positives of the policy's test.")
        table = results.table("false_positive_copies")
        caption = "Needless copies (pages, means over seeds)"
        yield tables.matrix("needless", caption, table, results.policies, results.workloads, log=True)
        every = {cause: results.sums(f"false_positive_cause_{cause}") for cause in CAUSES}
        sums: Sums = {cause: by_policy for cause, by_policy in every.items() if any(by_policy.values())}
        if not sums:
            yield Paragraph("No policy copies needlessly on the workloads that all ran.")
            return
        yield _drawn(results.policies, sums)
        yield _listed(results.policies, sums)


def _listed(policies: Sequence[str], sums: Sums) -> Table:
    rows: tuple[Line, ...] = tuple((policy, *(count(sums[cause][policy]) for cause in sums)) for policy in policies)
    caption = "Needless copies by cause, summed over the workloads that all policies ran"
    return Table("causes", caption, ("policy", *map(spaced, sums)), rows)


def _drawn(everyone: Sequence[str], sums: Sums) -> Figure:
    """Draw what share of a policy's needless copies each cause has; totals differ too much for one scale."""
    totals = {policy: sum(sums[cause][policy] for cause in sums) for policy in everyone}
    policies = [policy for policy in everyone if totals[policy]][::-1]
    marks: dict[str, Mark] = {}
    with figures.figure(9, 1.1 + 0.32 * len(policies)) as (drawn, axes):
        left = [0.0] * len(policies)
        for index, cause in enumerate(sums):
            shares = [float(sums[cause][policy] / totals[policy]) for policy in policies]
            colour = figures.COLOURS[index % len(figures.COLOURS)]
            hatch = figures.HATCHES[index // len(figures.COLOURS)]
            bars = axes.barh(policies, shares, left=left, color=colour, hatch=hatch, label=spaced(cause))
            for bar, policy, share in zip(bars, policies, shares, strict=True):
                words = f"{policy}: {number(sums[cause][policy])} ({share:.0%}) by {spaced(cause)}"
                figures.mark(marks, bar, words, policy)
            left = [start + share for start, share in zip(left, shares, strict=True)]
        for row, policy in enumerate(policies):
            axes.text(1.01, row, number(totals[policy]), va="center")
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        drawn.legend(loc="outside lower center", ncols=min(4, len(sums)))
        caption = "Causes of needless copies: share of each, total at the right"
        alt = "Share of each cause in the needless copies of each policy; numbers in the table below"
        return figures.finish(drawn, "shares", caption, alt, marks)
