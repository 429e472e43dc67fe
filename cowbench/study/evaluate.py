"""Claims and answers: Python expressions over the rows of a question's experiments.

A study file is as trusted as a policy file: its expressions are code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cowbench.errors import CowbenchError, StudyError
from cowbench.plugins import words_of
from cowbench.schema import Row
from cowbench.study.definition import Claim, Experiment, Question, Study
from cowbench.study.rows import Rows

if TYPE_CHECKING:
    from cowbench.search.outcome import Proposal

_BUILTINS = (
    abs,
    all,
    any,
    dict,
    enumerate,
    float,
    int,
    len,
    list,
    max,
    min,
    range,
    round,
    set,
    sorted,
    sum,
    tuple,
    zip,
)
_NAMES: dict[str, Any] = {function.__name__: function for function in _BUILTINS} | {"math": math}


@dataclass(frozen=True)
class Verdict:
    """A claim and whether it holds; `error` says why that could not be told ("" if it could)."""

    claim: Claim
    holds: bool
    error: str = ""


@dataclass(frozen=True)
class Answer:
    """An answered question: its sentence (or why there is none), the verdicts, and the rows of each experiment.

    measured: rows of real kernels, of experiments that want them; no claim is about them. searched: what a search of
    the rules came to.
    """

    question: Question
    sentence: str
    verdicts: tuple[Verdict, ...]
    rows: Mapping[str, Rows]
    measured: Mapping[str, Rows]
    searched: Proposal | None = None

    @property
    def stands(self) -> bool:
        """Whether every claim holds."""
        return all(verdict.holds for verdict in self.verdicts)

    @property
    def unmeasured(self) -> bool:
        """Whether points of a real kernel were wanted, and there are none."""
        return bool(self.measured) and not any(len(rows) for rows in self.measured.values())


def answers(study: Study, rows: Sequence[Row], searched: Proposal | None = None) -> list[Answer]:
    """Answer every question of a study from the rows of a store, and what a search of the rules came to."""
    by_cell: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_cell.setdefault((row["policy"], row["workload"]), []).append(row)
    return [_answer(question, by_cell, searched) for question in study.questions]


def _answer(question: Question, by_cell: Mapping[tuple[str, str], list[Row]], searched: Proposal | None) -> Answer:
    rows = {one.name: _rows(question, one, by_cell) for one in question.experiments}
    names = _NAMES | rows | ({"search": searched} if question.search and searched else {})
    try:
        sentence = fill(question.answer, names, question.name)
    except StudyError as error:
        sentence = f"No answer: {error}"
    measured = {one.name: _measured(question, one, by_cell) for one in question.experiments if one.measured}
    verdicts = tuple(_verdict(claim, names, question.name) for claim in question.claims)
    return Answer(question, sentence, verdicts, rows, measured, searched if question.search else None)


def _rows(question: Question, one: Experiment, by_cell: Mapping[tuple[str, str], list[Row]]) -> Rows:
    from cowbench import spec

    return _of(question, one, [spec.parse("policy", text).text for text in one.policy_specs()], by_cell)


def _of(
    question: Question, one: Experiment, policies: Sequence[str], by_cell: Mapping[tuple[str, str], list[Row]]
) -> Rows:
    from cowbench import spec

    workloads = [spec.parse("workload", text).text for text in one.workload_specs()]
    chosen = [
        row
        for workload in workloads
        for policy in policies
        for row in by_cell.get((policy, workload), ())
        if row["seed"] < one.seeds
    ]
    return Rows(chosen, f"{question.name}: {one.name}")


def _measured(question: Question, one: Experiment, by_cell: Mapping[tuple[str, str], list[Row]]) -> Rows:
    kernels = dict.fromkeys(policy for policy, _ in by_cell if policy.startswith("kernel:"))
    return _of(question, one, list(kernels), by_cell)


def _verdict(claim: Claim, names: Mapping[str, Any], where: str) -> Verdict:
    try:
        return Verdict(claim, bool(value(claim.holds, names, where)))
    except StudyError as error:
        return Verdict(claim, False, str(error))


def fill(template: str, names: Mapping[str, Any], where: str) -> str:
    """Put the values of the {expressions} of a sentence into it, as an f-string does. Raises StudyError."""
    return str(value(f'f"""{template}"""', names, where))


def value(expression: str, names: Mapping[str, Any], where: str) -> Any:
    """Return the value of an expression. Raises StudyError naming it."""
    try:
        return eval(expression, {"__builtins__": {}, **names})
    except CowbenchError:
        raise
    except Exception as error:
        raise StudyError(f"{where}: the expression '{expression}' fails: {words_of(error)}") from None
