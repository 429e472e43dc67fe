"""The first difference between two Observations of one program, in words.

Frame numbers mean nothing across machines, and one number may be used again after its frame was freed, so what is
compared after every operation is: whether each page is absent, on the zero page, swapped out or in a frame; which
pages went from one frame to another; which pages share a frame; what was read; and whether the operation failed.
Which slot a swapped-out page has, and whether it comes back into the frame it had, shows later in these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

import numpy as np

from cowbench.observation import ABSENT, SWAPPED, ZERO_PAGE, Observation, Step
from cowbench.operations import Operation, Read
from cowbench.places import Places, shape
from cowbench.words import say, say_pages, say_token

Kind = Literal["failed", "place", "moved", "sharing", "read"]


@dataclass(frozen=True)
class Difference:
    """kind of what differs after operation `step` (index from 0) about `subject`, and how it is on either machine."""

    step: int
    kind: Kind
    operation: Operation
    subject: str
    names: tuple[str, str]
    outcomes: tuple[str, str]

    @property
    def where(self) -> str:
        """The operation and the subject in words."""
        return f"after operation {self.step + 1}, {say(self.operation)}: {self.subject}"

    @property
    def words(self) -> str:
        """All of it in one line."""
        return f"{self.where}, " + "; ".join(f"{a}: {b}" for a, b in zip(self.names, self.outcomes, strict=True))


Found = tuple[Kind, str, tuple[str, str]]
"""kind, subject and outcomes of a difference."""


class Comparison:
    """Two observations followed side by side, step by step.

    frames: False if one of the machines cannot see frames; then only what was read and what failed is compared.
    """

    def __init__(self, processes: int, pages: int, *, frames: bool = True) -> None:
        self._frames = frames
        self._places = Places(processes, pages), Places(processes, pages)

    def apply(self, operation: Operation, first: Step, second: Step) -> Found | None:
        """Follow one operation; return what differs after it, None if nothing does."""
        if first.failed != second.failed:
            return "failed", "the operation was", (_failed(first), _failed(second))
        if self._frames:
            for places, step in zip(self._places, (first, second), strict=True):
                places.apply(operation, step)
            if len(first.page) or len(second.page):
                found = self._kinds() or self._moved() or self._sharing()
                if found:
                    return found
        return self._tokens(operation, first, second)

    def _kinds(self) -> Found | None:
        first, second = (places.kinds() for places in self._places)
        if np.array_equal(first, second):
            return None
        process, page = _first(first != second)
        words = _place(int(first[process, page])), _place(int(second[process, page]))
        return "place", f"page {page} of process {process}", words

    def _moved(self) -> Found | None:
        first, second = (places.moved for places in self._places)
        if np.array_equal(first, second):
            return None
        process, page = _first(first != second)
        pages = say_pages(np.flatnonzero((first != second)[process]))
        words = _moved(bool(first[process, page])), _moved(bool(second[process, page]))
        return "moved", f"{pages} of process {process}", words

    def _sharing(self) -> Found | None:
        first, second = (places.sharing() for places in self._places)
        if np.array_equal(first, second):
            return None
        at = int(np.flatnonzero(first != second)[0])
        process, page = divmod(at, self._places[0].table.shape[1])
        words = self._partner(at, int(first[at])), self._partner(at, int(second[at]))
        return "sharing", f"the frame of page {page} of process {process}", words

    def _partner(self, at: int, other: int) -> str:
        if other == at:
            return "shared with no page before it"
        process, page = divmod(other, self._places[0].table.shape[1])
        return f"shared with page {page} of process {process}"

    def _tokens(self, operation: Operation, first: Step, second: Step) -> Found | None:
        if np.array_equal(first.tokens, second.tokens):
            return None
        pairs = zip_longest(first.tokens.tolist(), second.tokens.tolist())
        element, pair = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        where = f"page {operation.pages[element]}" if isinstance(operation, Read) else f"element {element}"
        return "read", f"{where} reads", (_read(pair[0]), _read(pair[1]))


def first_difference(
    operations: Sequence[Operation],
    first: Observation,
    second: Observation,
    names: tuple[str, str] = ("model", "kernel"),
    *,
    frames: bool = True,
) -> Difference | None:
    """Return the first difference between two observations of a program that both carried out, None if they agree.

    Raises ValueError if one of them is not of this program: it has another number of steps.
    """
    if not len(operations) == len(first.steps) == len(second.steps):
        counts = f"{len(first.steps)} and {len(second.steps)} steps of {len(operations)} operations"
        raise ValueError(f"observations are not of this program: {counts}")
    comparison = Comparison(*shape(operations, first.steps, second.steps), frames=frames)
    for index, (operation, *steps) in enumerate(zip(operations, first.steps, second.steps, strict=True)):
        found = comparison.apply(operation, *steps)
        if found:
            kind, subject, outcomes = found
            return Difference(index, kind, operation, subject, names, outcomes)
    return None


def _failed(step: Step) -> str:
    return f"not carried out to its end ({step.failed})" if step.failed else "carried out"


def _place(kind: int) -> str:
    return {ABSENT: "absent", SWAPPED: "swapped out", ZERO_PAGE: "on the zero page"}.get(kind, "in a frame")


def _moved(moved: bool) -> str:
    return "copied to another frame" if moved else "still in its frame"


def _read(token: int | None) -> str:
    return "nothing" if token is None else say_token(token)


def _first(different: np.ndarray) -> tuple[int, int]:
    process, page = np.argwhere(different)[0].tolist()
    return process, page
