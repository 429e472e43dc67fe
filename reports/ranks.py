"""ranks: policies across workloads, by mean rank, with what cannot be told apart."""

from collections.abc import Iterator

from cowbench import statistics
from cowbench.report import figures
from cowbench.report.model import Block, Cell, Figure, Mark, Paragraph, Switch, Table, count
from cowbench.report.prose import series
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.statistics import HEADLINE, Ranks
from cowbench.statistics.words import noun


class Ranking(Section):
    title = "Ranks across workloads"
    order = 80

    def build(self, results: Results) -> Iterator[Block]:
        candidates = [policy for policy in results.finished if policy not in results.oracles]
        ranked = [statistics.rank(results.frame, metric, candidates) for metric in HEADLINE] if candidates else []
        ranked = [ranks for ranks in ranked if len(ranks.table)]
        if not ranked:
            yield Paragraph("No workload has results of all policies, so there is nothing to rank.")
            return
        yield Paragraph(
            "Rank 1 is best on a workload; equal policies share their rank. What counts is the number of workloads, "
            "not of seeds; policies that see what no kernel can take no part, nor do controls. A rank says nothing of "
            "leaks and losses."
        )
        yield Switch("Metric", tuple((noun(ranks.metric), tuple(_parts(ranks, results))) for ranks in ranked))


def _parts(ranks: Ranks, results: Results) -> Iterator[Block]:
    yield _told(ranks)
    yield from _drawn(ranks)
    yield _listed(ranks, results)


def _told(ranks: Ranks) -> Paragraph:
    workloads = len(ranks.table)
    first = f"{ranks.policies[0]} has the best mean rank in {noun(ranks.metric)}: {ranks.mean_ranks[0]:.2f}"
    out = f" Left out, because not every policy ran the same seeds: {series(ranks.left_out)}." if ranks.left_out else ""
    if ranks.p is None:
        return Paragraph(f"{first} over {workloads:,} workloads. Not tested: {ranks.why_not}.{out}")
    p = f"{ranks.p:.2g}" if ranks.p >= 0.0001 else "below 0.0001"
    if ranks.p > ranks.alpha:
        sure = "so that no order is shown"
    else:
        sure = f"and policies that are {ranks.critical_difference:.2f} apart or more differ by Nemenyi's test"
    return Paragraph(f"{first} over {workloads:,} workloads. Friedman's test gives p {p}, {sure}.{out}")


def _drawn(ranks: Ranks) -> Iterator[Figure]:
    """Draw mean ranks, and a bar beside each set of policies that are not told apart."""
    if ranks.critical_difference is None:
        return
    marks: dict[str, Mark] = {}
    policies, highest = len(ranks.policies), max(ranks.mean_ranks)
    with figures.figure(9, 1.2 + 0.3 * policies) as (drawn, axes):
        for row, (policy, mean) in enumerate(zip(ranks.policies, ranks.mean_ranks, strict=True)):
            (dot,) = axes.plot(mean, row, "o", color=figures.COLOURS[0], markersize=7)
            figures.mark(marks, dot, f"{policy}: mean rank {mean:.2f}", policy)
        for place, group in enumerate(ranks.groups):
            rows = [ranks.policies.index(policy) for policy in group]
            x = highest + 0.6 + 0.35 * place
            (bar,) = axes.plot([x, x], [rows[0] - 0.25, rows[-1] + 0.25], color=figures.COLOURS[1], linewidth=4)
            figures.mark(marks, bar, f"not told apart: {series(group)}")
        width = ranks.critical_difference
        axes.plot([1, 1 + width], [policies - 0.2] * 2, "|-", color=figures.INK)
        axes.text(1.1 + width, policies - 0.2, f"critical difference {width:.2f}", va="center")
        axes.set_yticks(range(policies), ranks.policies)
        axes.set_ylim(policies + 0.3, -0.6)
        axes.set_xlim(0.7, highest + 0.9 + 0.35 * max(1, len(ranks.groups)))
        axes.set_xlabel(f"mean rank over {len(ranks.table):,} workloads; bars join what is not told apart", loc="right")
        name = f"ranks-{ranks.metric.replace('_', '-')}"
        alt = f"Mean ranks of policies in {noun(ranks.metric)} with the critical difference; numbers in the table below"
        yield figures.finish(drawn, name, f"Mean ranks in {noun(ranks.metric)}", alt, marks)


def _listed(ranks: Ranks, results: Results) -> Table:
    names = sorted(ranks.policies)
    here = statistics.probability_best(results.frame, ranks.metric, names)
    alike = statistics.probability_best(results.frame, ranks.metric, names, resample_workloads=True)
    rows = tuple(
        (
            Cell(policy, group=policy),
            Cell(f"{mean:.2f}", mean),
            count(int((ranks.table[policy] == ranks.table.min(axis=1)).sum())),
            _chance(float(here[policy])),
            _chance(float(alike[policy])),
            series(results.losses(policy)) or "nothing",
        )
        for policy, mean in zip(ranks.policies, ranks.mean_ranks, strict=True)
    )
    head = (
        "policy",
        "mean rank",
        "best on",
        "best on these loads",
        "best on loads like these",
        "leaks or loses",
    )
    caption = f"Mean ranks in {noun(ranks.metric)}, and the probability of the best mean rank (2,000 bootstrap samples)"
    return Table(f"ranked-{ranks.metric.replace('_', '-')}", caption, head, rows)


def _chance(share: float) -> Cell:
    """Write a share of bootstrap samples, which cannot tell 0 or 1 from what is near."""
    words = "below 0.1 %" if share < 0.001 else "above 99.9 %" if share > 0.999 else f"{share:.1%}".replace("%", " %")
    return Cell(words, share)
