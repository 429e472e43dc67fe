"""baseline: every policy held against one of them, with intervals and verdicts."""

from collections.abc import Iterator

from cowbench.report import comparison
from cowbench.report.model import Block, Code, Paragraph, Terms
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.statistics import HEADLINE, VERDICTS


class Baseline(Section):
    title = "Against the baseline"
    order = 70

    def build(self, results: Results) -> Iterator[Block]:
        family = results.family
        if family is None or not family.comparisons:
            yield Paragraph("There are not two policies with results to compare.")
            return
        chosen = "as was asked for" if results.baseline else "the fewest copies without a leak or lost pin, if any"
        yield Paragraph(
            (
                "Every other policy is held against ",
                Code(str(results.reference)),
                f" ({chosen}; ",
                Code("--baseline"),
                " takes another), paired by seed. Less is better; = means identical. Controls take no part.",
            )
        )
        present = [metric for metric in HEADLINE if family.of(metric=metric)]
        yield comparison.matrices(family, present)
        yield from comparison.told(family)
        yield Terms(tuple(VERDICTS.items()))
