"""overview: what was found, in sentences, one picture and one table."""

from collections.abc import Iterator

from cowbench.report import answer, winners
from cowbench.report.model import Block, Bullets, Code, Heading, Paragraph, Words
from cowbench.report.picture import picture
from cowbench.report.prose import plural, series
from cowbench.report.results import Results
from cowbench.report.section import Section


class Overview(Section):
    title = "The answer"
    order = 10

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            yield Paragraph(("This store holds no trials yet. Fill it with ", Code("cowbench run"), " and come back."))
            return
        yield from _failures(results)
        first, *others = answer.answer(results)
        yield Paragraph(first, "answer")
        details = (*others, *answer.price(results), *answer.needless(results), *answer.certainty(results))
        yield Bullets((*details, *_left_out(results)))
        if results.common:
            yield picture(results)
            best = winners.winners(results)
            if best is not None:
                yield best
            yield winners.ranking(results)
        broken = (*answer.losses(results), *answer.torn(results))
        if broken:
            yield Heading("What each policy breaks")
            yield Bullets(broken)


def _failures(results: Results) -> Iterator[Paragraph]:
    errors: dict[str, int] = {}
    for row in results.rows:
        if row["status"] == "failed":
            errors[row["error"]] = errors.get(row["error"], 0) + 1
    for error, times in sorted(errors.items()):
        yield Paragraph(f"{plural(times, 'trial')} failed: {error}", "warning")


def _left_out(results: Results) -> Iterator[Words]:
    workloads = sorted(set(results.workloads) - set(results.common))
    if workloads:
        yield f"Left out of sums, because not every policy ran the same seeds to the end: {series(workloads)}."
    policies = sorted(set(results.policies) - set(results.finished))
    if policies:
        yield f"Without any trial that came to its end: {series(policies)}."
