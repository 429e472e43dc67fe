"""false_positives: copies of frames that nobody else observed, and why they were made."""

from collections.abc import Sequence

from markupsafe import Markup

from cowbench.ledger import CAUSES
from cowbench.report import figures, html
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.summary import number


class FalsePositives(Section):
    title = "Needless copies and their causes"
    order = 30

    def render(self, results: Results) -> Markup:
        if not results.rows:
            return html.paragraph("No trials, no needless copies.")
        about = "Copies of frames that nobody but the writer observed: false positives of the policy's test."
        table = results.table("false_positive_copies")
        parts = [
            html.paragraph(about),
            html.matrix(
                table, results.policies, results.workloads, "Needless copies (pages, means over seeds)", log=True
            ),
        ]
        sums = {cause: results.sums(f"false_positive_cause_{cause}") for cause in CAUSES}
        causes = [cause for cause in CAUSES if any(sums[cause].values())]
        if not causes:
            return html.join([*parts, html.paragraph("No policy copies needlessly on the workloads that all ran.")])
        return html.join([*parts, _drawn(results, causes), _listed(results, causes)])


def _listed(results: Results, causes: Sequence[str]) -> Markup:
    sums = {cause: results.sums(f"false_positive_cause_{cause}") for cause in causes}
    rows: list[html.Cells] = [
        [policy, *(html.Shaded(number(sums[cause][policy])) for cause in causes)] for policy in results.policies
    ]
    caption = "Needless copies by cause, summed over the workloads that all policies ran"
    return html.table(["policy", *(cause.replace("_", " ") for cause in causes)], rows, caption)


def _drawn(results: Results, causes: Sequence[str]) -> Markup:
    """Draw what share of a policy's needless copies each cause has; totals differ too much for one scale."""
    sums = {cause: results.sums(f"false_positive_cause_{cause}") for cause in causes}
    totals = {policy: sum(sums[cause][policy] for cause in causes) for policy in results.policies}
    policies = [policy for policy in results.policies if totals[policy]][::-1]
    with figures.figure(9, 1.4 + 0.32 * len(policies)) as (drawn, axes):
        left = [0.0] * len(policies)
        for index, cause in enumerate(causes):
            shares = [float(sums[cause][policy] / totals[policy]) for policy in policies]
            colour = figures.COLOURS[index % len(figures.COLOURS)]
            hatch = figures.HATCHES[index // len(figures.COLOURS)]
            axes.barh(policies, shares, left=left, color=colour, hatch=hatch, label=cause.replace("_", " "))
            left = [start + share for start, share in zip(left, shares, strict=True)]
        for row, policy in enumerate(policies):
            axes.text(1.01, row, number(totals[policy]), va="center")
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set_title("Causes of needless copies: share of each, total at the right", loc="left", fontsize=10)
        drawn.legend(loc="outside lower center", ncols=min(4, len(causes)))
        return figures.svg(
            drawn, "Share of each cause in the needless copies of each policy; numbers in the table below"
        )
