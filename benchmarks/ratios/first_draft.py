"""The yardstick for numpy itself: the same machine as one would write it first.

64-bit columns, boolean masks, np.add.at for counts, np.unique for duplicates. It knows policy has_pinned and what the
mixed programme does, and counts copies and reuses; causes and lost references are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cowbench.machine import Pages, Process, Reference

Numbers = npt.NDArray[np.int64]
BATCH, BIAS = 15, 1024


@dataclass
class Table:
    """A page table. frame: -1 for none."""

    frame: Numbers
    writable: npt.NDArray[np.bool_]
    has_pinned: bool = False


@dataclass
class FirstDraft:
    """A machine with `frames` frames. refcount: mappings, LRU batch, references. free: a stack of frames."""

    frames: int
    tables: list[Table] = field(default_factory=list)
    references: list[tuple[Numbers, int]] = field(default_factory=list)
    operations: int = 0
    copies_write_fault: int = 0
    copies_pin: int = 0
    copies_fork: int = 0
    reuses: int = 0

    def __post_init__(self) -> None:
        self.refcount, self.mapcount, self.token, self.owners = (np.zeros(self.frames, np.int64) for _ in range(4))
        self.free = np.arange(self.frames)[::-1]
        self.held = np.zeros(0, np.int64)

    def counts(self) -> dict[str, int]:
        """Return what it counted, by the names of `measure.counts`."""
        names = ("copies_write_fault", "copies_pin", "copies_fork", "reuses")
        return {name: getattr(self, name) for name in names}

    def spawn(self) -> Process:
        self.operations += 1
        return self._born(Table(np.zeros(0, np.int64), np.zeros(0, np.bool_)))

    def write(self, process: Process, pages: Pages) -> None:
        self.operations += 1
        table, unique = self.tables[process], self._unique(pages)
        copied, reused = self._make_writable(table, unique)
        self.copies_write_fault += copied
        self.reuses += reused
        self.token[table.frame[unique]] = self.operations

    def read(self, process: Process, pages: Pages) -> None:
        self.operations += 1
        self.token[self.tables[process].frame[self._array(pages)]]

    def fork(self, process: Process) -> Process:
        self.operations += 1
        parent = self.tables[process]
        child = Table(parent.frame.copy(), np.zeros(len(parent.frame), np.bool_))
        mapped = parent.frame >= 0
        early = mapped & parent.has_pinned
        early[early] = self.refcount[parent.frame[early]] >= BIAS
        shared = mapped & ~early
        parent.writable[shared] = False
        np.add.at(self.refcount, parent.frame[shared], 1)
        np.add.at(self.mapcount, parent.frame[shared], 1)
        copies = int(early.sum())
        new = self._allocate(copies)
        self.token[new] = self.token[parent.frame[early]]
        child.frame[early], child.writable[early] = new, True
        self._enter_batch(new)
        self.copies_fork += copies
        return self._born(child)

    def exit(self, process: Process) -> None:
        self.operations += 1
        self._drain()
        table = self.tables[process]
        self._unmap(table.frame[table.frame >= 0])
        table.frame, table.writable = np.zeros(0, np.int64), np.zeros(0, np.bool_)

    def pin(self, process: Process, pages: Pages) -> Reference:
        self.operations += 1
        table, numbers = self.tables[process], self._array(pages)
        table.has_pinned = True
        copied, reused = self._make_writable(table, self._unique(pages))
        self.copies_pin += copied
        self.reuses += reused
        return self._refer(table.frame[numbers], BIAS)

    def get(self, process: Process, pages: Pages) -> Reference:
        self.operations += 1
        return self._refer(self.tables[process].frame[self._array(pages)], 1)

    def release(self, reference: Reference) -> None:
        self.operations += 1
        frames, weight = self.references[reference]
        np.subtract.at(self.owners, frames, 1)
        np.subtract.at(self.refcount, frames, weight)
        self._free(np.unique(frames))

    def _born(self, table: Table) -> Process:
        self.tables.append(table)
        return Process(len(self.tables) - 1)

    def _array(self, pages: Pages) -> Numbers:
        return np.arange(pages.start, pages.stop) if isinstance(pages, range) else np.asarray(pages)

    def _unique(self, pages: Pages) -> Numbers:
        """Return the pages without repetitions, in order of their first occurrence."""
        numbers = self._array(pages)
        _, first = np.unique(numbers, return_index=True)
        return numbers[np.sort(first)]

    def _make_writable(self, table: Table, pages: Numbers) -> tuple[int, int]:
        """Take write faults on pages without duplicates; return how many were copied and how many reused."""
        more = int(pages.max(initial=-1)) + 1 - len(table.frame)
        if more > 0:
            table.frame = np.concatenate((table.frame, np.full(more, -1)))
            table.writable = np.concatenate((table.writable, np.zeros(more, np.bool_)))
        pages = pages[~table.writable[pages]]
        old = table.frame[pages]
        present = old >= 0
        reuse = self._decide(old, present)
        fresh = ~reuse
        new = self._allocate(int(fresh.sum()))
        copied = present & fresh
        self.token[new] = self.token[np.where(present, old, 0)[fresh]]
        table.frame[pages[fresh]] = new
        table.writable[pages] = True
        self._enter_batch(new)
        self._unmap(old[copied])
        return int(copied.sum()), int(reuse.sum())

    def _decide(self, old: Numbers, present: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which pages are reused; those in the LRU batch have one reference less once it is flushed."""
        seen = np.where(present, self.refcount[old], 0)
        fresh = seen != 1
        entered = np.cumsum(fresh) + len(self.held)
        late = present & np.isin(old, self.held) & (entered - fresh >= BATCH)
        return np.asarray(present & (seen - late == 1))

    def _allocate(self, count: int) -> Numbers:
        """Take frames off the stack, each with one mapping."""
        assert count <= len(self.free), "out of frames"
        new, self.free = self.free[len(self.free) - count :], self.free[: len(self.free) - count]
        self.refcount[new] = self.mapcount[new] = 1
        return new

    def _enter_batch(self, new: Numbers) -> None:
        waiting = np.concatenate((self.held, new))
        stay = len(waiting) % BATCH if len(waiting) >= BATCH else len(waiting)
        flushed, self.held = waiting[: len(waiting) - stay], waiting[len(waiting) - stay :]
        np.add.at(self.refcount, new, 1)
        np.subtract.at(self.refcount, flushed, 1)
        self._free(flushed)

    def _drain(self) -> None:
        flushed, self.held = self.held, self.held[:0]
        np.subtract.at(self.refcount, flushed, 1)
        self._free(flushed)

    def _unmap(self, frames: Numbers) -> None:
        np.subtract.at(self.mapcount, frames, 1)
        np.subtract.at(self.refcount, frames, 1)
        self._free(frames)

    def _refer(self, frames: Numbers, weight: int) -> Reference:
        np.add.at(self.owners, frames, 1)
        np.add.at(self.refcount, frames, weight)
        self.references.append((frames, weight))
        return Reference(len(self.references) - 1)

    def _free(self, frames: Numbers) -> Any:
        """Put those of `frames` that nothing refers to back on the stack."""
        self.free = np.concatenate((self.free, frames[self.refcount[frames] == 0]))
