"""outcomes: what each policy leaks, loses, tears or fails to copy at fork, and on which workloads."""

from markupsafe import Markup

from cowbench import schema
from cowbench.report import html
from cowbench.report.results import LOSSES, Results
from cowbench.report.section import Section
from cowbench.summary import number

COLUMNS = (*LOSSES, "torn_snapshots", "missed_early_copies", "lost_pins_documented")


class Outcomes(Section):
    title = "Outcomes: leaks, losses and torn snapshots"
    order = 40

    def render(self, results: Results) -> Markup:
        if not results.rows:
            return html.paragraph("No trials, no outcomes.")
        about = [
            Markup("<strong>{}</strong>: {}.").format(name.replace("_", " "), schema.METRICS[name].description)
            for name in COLUMNS
        ]
        head = ["policy", "verdict", *(name.replace("_", " ") for name in COLUMNS)]
        rows = [_row(results, policy) for policy in results.policies]
        caption = "Outcomes by policy: sums over seeds, and the workloads that show them"
        return html.join([html.table(head, rows, caption), html.bullets(about)])


def _row(results: Results, policy: str) -> list[str | Markup]:
    found = [results.where(policy, name) for name in COLUMNS]
    verdict = html.words(results.losses(policy)) or "leaks and loses nothing"
    return [
        policy,
        verdict,
        *(f"{number(sum(where.values()))}: {html.listed(where)}" if where else "0" for where in found),
    ]
