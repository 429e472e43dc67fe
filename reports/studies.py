"""studies: a chapter for each study that was run: questions, experiments, figures, tables and answers."""

from collections.abc import Iterator

from cowbench.errors import CowbenchError
from cowbench.report import plots, proposal
from cowbench.report.model import Block, Bullets, Code, Fold, Heading, Paragraph, Strong, Words
from cowbench.report.prose import plural
from cowbench.report.results import Results, StudyRows
from cowbench.report.section import Section
from cowbench.search.outcome import Proposal
from cowbench.study import definition
from cowbench.study.evaluate import Answer, Verdict, answers


class Studies(Section):
    title = "Studies"
    order = 105

    def build(self, results: Results) -> Iterator[Block]:
        if not results.studies:
            yield Paragraph(
                ("This store holds no study; ", Code("cowbench study seed-thread"), " asks the questions of 2020.")
            )
        for study in results.studies:
            yield from _chapter(study, results.searched)


def _chapter(study: StudyRows, searched: Proposal | None) -> Iterator[Block]:
    asked = definition.parse(study.name, study.text, study.name)
    answered = answers(asked, study.rows, searched)
    claims = [verdict for answer in answered for verdict in answer.verdicts]
    broken = sum(not verdict.holds for verdict in claims)
    yield Heading(asked.title)
    held = "all hold" if not broken else f"{broken} {'does' if broken == 1 else 'do'} not hold"
    yield Paragraph(
        f"{plural(len(answered), 'question')}, {plural(len(study.rows), 'trial')}; "
        f"{plural(len(claims), 'claim')}, of which {held}.",
        "warning" if broken else "plain",
    )
    for number, answer in enumerate(answered, start=1):
        yield from _question(number, answer)


def _question(number: int, answer: Answer) -> Iterator[Block]:
    question = answer.question
    yield Heading(f"{number}. {question.asks}")
    yield Paragraph(answer.sentence)
    yield Paragraph(f"Limits: {question.limits}", "note")
    for figure, name in plots.numbered(question.figures, question.name):
        rows = answer.rows[figure.experiment]
        if not len(rows):
            yield Paragraph(f"{figure.title}: no trial of experiment {figure.experiment} is in the store.", "warning")
            continue
        try:
            measured = answer.measured.get(figure.experiment)
            yield plots.draw(figure, rows, f"{name}-figure", measured)
            yield plots.table(figure, rows, name, measured)
        except CowbenchError as error:
            yield Paragraph(f"{figure.title}: cannot be drawn: {error}", "warning")
    if answer.searched is not None:
        yield from proposal.blocks(answer.searched, f"{question.name.replace('_', '-')}-search")
    if answer.unmeasured:
        yield Paragraph(
            ("No real kernel was measured for this; as root, ", Code("cowbench study ... --kernel host"), " does so."),
            "note",
        )
    yield Bullets(tuple(_claim(verdict.claim.says, verdict.holds, verdict.error) for verdict in answer.verdicts))
    experiments = tuple(
        (f"{one.name}: policies ", Code(", ".join(one.policy_specs())), " on ", Code(_short(one.workload_specs())))
        for one in question.experiments
    )
    yield Fold("Experiments and claims as code", (Bullets(experiments), Bullets(tuple(map(_code, answer.verdicts)))))


def _claim(says: str, holds: bool, error: str) -> Words:
    if holds:
        return (Strong("Holds. "), says)
    return (Strong("Does not hold. "), says, f" ({error})" if error else "")


def _code(verdict: Verdict) -> Words:
    claim = verdict.claim
    return (f"{claim.says} ", Code(claim.holds))


def _short(specs: list[str]) -> str:
    return ", ".join(specs if len(specs) <= 6 else [*specs[:3], "...", *specs[-2:]])
