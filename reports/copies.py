"""copies: how many pages each policy copies on each workload."""

from collections.abc import Iterator

from cowbench.report import tables
from cowbench.report.model import Block, Paragraph
from cowbench.report.results import Results
from cowbench.report.section import Section


class Copies(Section):
    title = "Copies"
    order = 20

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            yield Paragraph("No trials, no copies.")
            return
        yield Paragraph(
            "Pages copied, needed or not, as means over seeds. The darker, the nearer to the most on that workload, in "
            "orders of magnitude. "
            "* a seed ran out of frames and was counted up to there; ! a seed failed; n/a the machine cannot stage it."
        )
        table = results.table("copies")
        yield tables.matrix("copies", "Copies (pages)", table, results.policies, results.workloads, log=True)
