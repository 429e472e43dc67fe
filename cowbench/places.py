"""Where every page of every process is, followed through the steps of an Observation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cowbench.observation import ABSENT, Numbers, Step
from cowbench.operations import Exec, Exit, Fork, Operation, Spawn


class Places:
    """A table with a row a process and a column a page: frame number, or ABSENT, SWAPPED, ZERO_PAGE.

    `moved`: pages (process, page) that the last step took from one frame to another one, as a boolean table.
    """

    def __init__(self, processes: int, pages: int) -> None:
        self.table: Numbers = np.full((processes, pages), ABSENT, np.int64)
        self.moved = np.zeros((processes, pages), np.bool_)

    def apply(self, operation: Operation, step: Step) -> None:
        """Follow one step."""
        self.moved[:] = False
        if isinstance(operation, Exec | Exit):
            self.table[operation.process] = ABSENT
        if len(step.page):
            at = step.process, step.page
            before = self.table[at]
            self.moved[at] = (before >= 0) & (step.frame >= 0) & (before != step.frame)
            self.table[at] = step.frame

    def kinds(self) -> Numbers:
        """Return the table with 0 in place of every frame number."""
        return np.minimum(self.table, 0)

    def sharing(self) -> Numbers:
        """Return for each entry, flat, the first entry that maps the same frame; -1 where none is mapped."""
        flat = self.table.ravel()
        mapped = np.flatnonzero(flat >= 0)
        first = np.full(len(flat), -1, np.int64)
        _, index, inverse = np.unique(flat[mapped], return_index=True, return_inverse=True)
        first[mapped] = mapped[index[inverse]]
        return first


def shape(operations: Sequence[Operation], *observations: Sequence[Step]) -> tuple[int, int]:
    """Return how many processes a program makes, and one past the highest page that some observations of it name."""
    pages = [int(step.page.max()) for steps in observations for step in steps if len(step.page)]
    return sum(isinstance(operation, Spawn | Fork) for operation in operations), max(pages, default=0) + 1
