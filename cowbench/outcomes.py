"""Truth seen from outside: a machine beside the ideal, every reader compared after every operation.

The decision account (the ledger) says what a policy did wrong when it decided; this one says what readers saw wrong,
without looking at decisions. Tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cowbench.errors import OutOfFrames
from cowbench.ideal import IdealMachine, Outcome
from cowbench.operations import DeviceWrite, Fork, Operation, Write
from cowbench.simulated import SimulatedMachine
from cowbench.simulated.process import ReferenceState

Reader = tuple[str, int, int]
"""("process", handle, page), ("reference", handle, element) or ("torn", child, 0)."""


@dataclass(frozen=True)
class Divergence:
    """A reader that saw a value it must not see, at operation number `step` of the program (from 0).

    parted: a coherent reference that by right leads to its owner's page and does not show what that page shows, that
    page when it misses what a device wrote through the reference, or an orphan that misses it though it once was the
    same memory.
    """

    step: int
    reader: Reader
    seen: int
    parted: bool = False


@dataclass
class Witness:
    """Drives a machine and the ideal side by side. `observe` returns what every reader of the machine sees now."""

    machine: SimulatedMachine
    observe: Callable[[SimulatedMachine], dict[Any, int]]
    ideal: IdealMachine = field(default_factory=IdealMachine)
    steps: int = 0

    def apply(self, operation: Operation) -> list[Divergence]:
        """Carry an operation out on both and return the readers that newly diverge; a shortage of frames is no error
        here.
        """
        outcome = self._on_machine(operation)
        self.ideal.outcome = outcome
        operation.apply(self.ideal)
        found = [*self._torn(), *self._compare(operation)]
        self.steps += 1
        return found

    def _on_machine(self, operation: Operation) -> Outcome:
        before = len(self.machine.references)
        failures = len(self.machine.ledger.forks)
        done: int | None = None
        try:
            operation.apply(self.machine)
        except OutOfFrames as error:
            done = error.done if isinstance(operation, Write) else None
        new = range(before, len(self.machine.references))
        refused = frozenset(handle for handle in new if self.machine.references[handle] is None)
        forks = self.machine.ledger.forks[failures:]
        writes: tuple[tuple[int, int], ...] = ()
        if isinstance(operation, Fork):
            writes = tuple((t.landed, t.finished) for t in self.machine.threads if t.entry.kind == "write")
        return Outcome(done, any(fork.failed for fork in forks), refused, writes)

    def _torn(self) -> list[Divergence]:
        """Compare a new child with the instants its parent went through, and let the ideal take over what it has."""
        if self.ideal.instants is None:
            return []
        child, pages, rows = self.ideal.instants
        self.ideal.instants = None
        seen = self.observe(self.machine)
        there = [i for i, page in enumerate(pages.tolist()) if ("process", child, page) in seen]
        values = np.array([seen["process", child, int(pages[i])] for i in there], np.int64)
        matches = (rows[:, there] == values).all(axis=1)
        for i, value in zip(there, values.tolist(), strict=True):
            self.ideal.adopt_page(child, int(pages[i]), value)
        return [] if matches.any() else [Divergence(self.steps, ("torn", child, 0), -1)]

    def _compare(self, operation: Operation) -> list[Divergence]:
        seen = self.observe(self.machine)
        parted = [
            Divergence(self.steps, reader, value, parted=True)
            for reader, value in seen.items()
            if reader[0] == "reference" and self._parted(reader, value, seen)
        ]
        self._cut_off(parted)
        pages = [
            Divergence(self.steps, reader, value, parted=self._missed_device(operation, reader, parted))
            for reader, value in seen.items()
            if reader[0] == "process" and int(self.ideal.page_values(reader[1], np.array([reader[2]]))[0]) != value
        ]
        for divergence in pages:
            self.ideal.adopt_page(divergence.reader[1], divergence.reader[2], divergence.seen)
        wrong = [
            Divergence(self.steps, reader, value, parted=self._other_frame(operation, reader))
            for reader, value in seen.items()
            if reader[0] == "reference" and not self.ideal.allows(reader[1], reader[2], value)
        ]
        self._cut_off(wrong)
        return parted + pages + wrong

    def _parted(self, reader: Reader, value: int, seen: dict[Any, int]) -> bool:
        """Return whether a coherent reference shows something else than its owner's page, to which it leads by
        right.
        """
        reference = self.ideal.references[reader[1]]
        assert reference is not None
        page = ("process", reference.owner, int(reference.pages[reader[2]]))
        return self.ideal.led(reader[1], reader[2]) and seen.get(page, 0) != value

    def _missed_device(self, operation: Operation, reader: Reader, parted: list[Divergence]) -> bool:
        """Return whether a page misses what a device wrote through a reference that is cut off from it."""
        if not isinstance(operation, DeviceWrite):
            return False
        reference = self.ideal.references[operation.reference]
        assert reference is not None
        cut = {int(reference.pages[d.reader[2]]) for d in parted if d.reader[1] == operation.reference}
        return reader[1] == reference.owner and reader[2] in cut

    def _other_frame(self, operation: Operation, reader: Reader) -> bool:
        """Return whether a device wrote to what by right is the same orphan memory, through a reference to another
        frame.
        """
        if not isinstance(operation, DeviceWrite):
            return False
        reference, other = self.ideal.references[reader[1]], self.ideal.references[operation.reference]
        assert reference is not None
        assert other is not None
        twins = np.flatnonzero(other.cells == reference.cells[reader[2]]).tolist()
        mine = self._frame(reader)
        return reference.coherent and any(self._frame(("reference", operation.reference, i)) != mine for i in twins)

    def _cut_off(self, found: list[Divergence]) -> None:
        self.ideal.cut_off([(d.reader[1], d.reader[2], self._frame(d.reader), d.seen) for d in found])

    def _frame(self, reader: Reader) -> int:
        reference = self.machine.references[reader[1]]
        assert isinstance(reference, ReferenceState)
        return int(reference.frames[reader[2]])
