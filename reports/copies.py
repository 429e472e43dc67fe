"""copies: how many pages each policy copies on each workload."""

from markupsafe import Markup

from cowbench.report import html
from cowbench.report.results import Results
from cowbench.report.section import Section


class Copies(Section):
    title = "Copies"
    order = 20

    def render(self, results: Results) -> Markup:
        if not results.rows:
            return html.paragraph("No trials, no copies.")
        about = (
            "Pages copied, needed or not, as means over seeds. The darker, the nearer to the most on that workload, in "
            "orders of magnitude. "
            "* a seed ran out of frames and was counted up to there; ! a seed failed; n/a the machine cannot stage it."
        )
        table = results.table("copies")
        return html.join(
            [html.paragraph(about), html.matrix(table, results.policies, results.workloads, "Copies (pages)", log=True)]
        )
