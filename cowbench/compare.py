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
    """kind of what differs after operation `step` (index from 0), and the whole of it in words."""

    step: int
    kind: Kind
    words: str


class Comparison:
    """Two observations followed side by side, step by step.

    names: what the two machines are called in words. frames: False if one of them cannot see frames; then
    only what was read and what failed is compared.
    """

    def __init__(
        self, processes: int, pages: int, names: tuple[str, str] = ("model", "kernel"), *, frames: bool = True
    ) -> None:
        self._names, self._frames = names, frames
        self._places = Places(processes, pages), Places(processes, pages)

    def apply(self, operation: Operation, first: Step, second: Step) -> tuple[Kind, str] | None:
        """Follow one operation; return what differs after it, None if nothing does."""
        if first.failed != second.failed:
            return "failed", self._each(*(_failed(step) for step in (first, second)))
        if self._frames:
            for places, step in zip(self._places, (first, second), strict=True):
                places.apply(operation, step)
            if len(first.page) or len(second.page):
                found = self._kinds() or self._moved() or self._sharing()
                if found:
                    return found
        return self._tokens(operation, first, second)

    def _each(self, first: str, second: str) -> str:
        return f"{self._names[0]}: {first}; {self._names[1]}: {second}"

    def _kinds(self) -> tuple[Kind, str] | None:
        first, second = (places.kinds() for places in self._places)
        if np.array_equal(first, second):
            return None
        process, page = _first(first != second)
        words = (_place(int(kinds[process, page])) for kinds in (first, second))
        return "place", f"page {page} of process {process} is, {self._each(*words)}"

    def _moved(self) -> tuple[Kind, str] | None:
        first, second = (places.moved for places in self._places)
        if np.array_equal(first, second):
            return None
        process, page = _first(first != second)
        pages = say_pages(np.flatnonzero((first != second)[process]))
        words = (
            "copied to another frame" if moved[process, page] else "still in its frame" for moved in (first, second)
        )
        return "moved", f"{pages} of process {process}, {self._each(*words)}"

    def _sharing(self) -> tuple[Kind, str] | None:
        first, second = (places.sharing() for places in self._places)
        if np.array_equal(first, second):
            return None
        at = int(np.flatnonzero(first != second)[0])
        process, page = divmod(at, self._places[0].table.shape[1])
        words = (self._partner(at, int(sharing[at])) for sharing in (first, second))
        return "sharing", f"the frame of page {page} of process {process} is, {self._each(*words)}"

    def _partner(self, at: int, other: int) -> str:
        if other == at:
            return "shared with no page before it"
        process, page = divmod(other, self._places[0].table.shape[1])
        return f"shared with page {page} of process {process}"

    def _tokens(self, operation: Operation, first: Step, second: Step) -> tuple[Kind, str] | None:
        if np.array_equal(first.tokens, second.tokens):
            return None
        pairs = zip_longest(first.tokens.tolist(), second.tokens.tolist())
        element, pair = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        where = f"page {operation.pages[element]}" if isinstance(operation, Read) else f"element {element}"
        return "read", f"{where} reads, {self._each(*('nothing' if t is None else say_token(t) for t in pair))}"


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
    comparison = Comparison(*shape(operations, first.steps, second.steps), names, frames=frames)
    for index, (operation, *steps) in enumerate(zip(operations, first.steps, second.steps, strict=True)):
        found = comparison.apply(operation, *steps)
        if found:
            return Difference(index, found[0], f"after operation {index + 1}, {say(operation)}: {found[1]}")
    return None


def _failed(step: Step) -> str:
    return f"not carried out to its end ({step.failed})" if step.failed else "carried out"


def _place(kind: int) -> str:
    return {ABSENT: "absent", SWAPPED: "swapped out", ZERO_PAGE: "on the zero page"}.get(kind, "in a frame")


def _first(different: np.ndarray) -> tuple[int, int]:
    process, page = np.argwhere(different)[0].tolist()
    return process, page
