"""versus: what changed since another store: the sentences and tables of `cowbench compare`."""

from collections.abc import Iterator

from cowbench.report import comparison
from cowbench.report.model import Block, Code, Paragraph
from cowbench.report.results import Results
from cowbench.report.section import Section


class Versus(Section):
    title = "Against another store"
    order = 75

    def build(self, results: Results) -> Iterator[Block]:
        if results.versus is None:
            return
        yield Paragraph(
            (
                "Every policy and workload is held against itself in the store given with ",
                Code("--against"),
                ", by seed.",
            )
        )
        yield from comparison.told(results.versus)
