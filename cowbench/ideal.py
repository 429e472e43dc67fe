"""Backend 2: what every reader should see. No frames, no policy: each process has memory of its own.

A page of a process is a *cell*: born when the page is first written or referenced, copied at fork, replaced by
discard. A coherent reference holds its owner's cell; so it sees what its owner's page table shows, and after the
owner's discard or exit the orphan's own history. A snapshot may show the value at get() or any later value that its
owner wrote, never another process's.
What truth does not decide it is told: that a fork failed, or at which page memory ran out (`outcome`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cowbench.errors import ProgramError
from cowbench.machine import During, Pages, PageState, Process, Reference

Cells = npt.NDArray[np.int64]


@dataclass
class Outcome:
    """What happened on the machine that the ideal follows, for the next operation.

    done: elements of a write that were applied before memory ran out, None for all. failed: the fork failed.
    refused: handles whose reference was never taken. writes: for each interleaved write of a fork, how many elements
    landed during the walk and how many were done after it.
    """

    done: int | None = None
    failed: bool = False
    refused: frozenset[int] = frozenset()
    writes: tuple[tuple[int, int], ...] = ()


@dataclass
class IdealReference:
    """A reference as its owner means it. cells: one an element. since, first: operation and values when taken."""

    owner: int
    pages: npt.NDArray[np.int64]
    cells: Cells
    write: bool
    coherent: bool
    since: int
    first: npt.NDArray[np.int64]


@dataclass
class IdealProcess:
    """cells: per page, 0 where the page was never touched. skipped: pages marked MADV_DONTFORK."""

    alive: bool = True
    cells: Cells = field(default_factory=lambda: np.zeros(0, np.int64))
    skipped: set[int] = field(default_factory=set)


class IdealMachine:
    """A Machine of perfect isolation. `values` holds the token of each cell; cell 0 is the zero page.

    `writers[n]` is the process on whose behalf operation n stored. `instants`, after a fork with writes that landed:
    the child, the pages they touched, and one row a possible instant with the values of these pages.
    """

    def __init__(self) -> None:
        self.processes: list[IdealProcess] = []
        self.references: list[IdealReference | None] = []
        self.values = np.zeros(1024, np.int64)
        self.cells = 1
        self.writers: list[int] = [-1]
        self.outcome = Outcome()
        self.instants: tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]] | None = None

    def spawn(self, *, cpu: int = 0, memcg: int = 0) -> Process:
        self._next(-1)
        self.processes.append(IdealProcess())
        return Process(len(self.processes) - 1)

    def write(self, process: Process, pages: Pages) -> None:
        token = self._next(process)
        self._write(process, np.asarray(pages, np.int64)[: self.outcome.done], token)

    def read(self, process: Process, pages: Pages) -> None:
        self._next(-1)

    def fork(
        self,
        process: Process,
        *,
        during: Sequence[During] = (),
        fail_at: int | None = None,
        memcg: int | None = None,
    ) -> Process:
        self._next(-1)
        self.instants = None
        child = IdealProcess(alive=self.processes[process].alive and not self.outcome.failed)
        self.processes.append(child)
        numbers = [self._next(process) for _ in during]
        if child.alive:
            self._copy(self.processes[process], child)
        self._during(process, len(self.processes) - 1, during, numbers)
        return Process(len(self.processes) - 1)

    def exec(self, process: Process) -> None:
        self._next(-1)
        state = self.processes[process]
        state.cells, state.skipped = np.zeros(0, np.int64), set()

    def exit(self, process: Process) -> None:
        self.exec(process)
        self.processes[process].alive = False

    def protect(self, process: Process, pages: Pages, *, tracked: bool = False) -> None:
        self._next(-1)

    def dontfork(self, process: Process, pages: Pages) -> None:
        self._next(-1)
        self.processes[process].skipped.update(np.asarray(pages).tolist())

    def discard(self, process: Process, pages: Pages) -> None:
        self._next(-1)
        numbers = np.asarray(pages, np.int64)
        state = self.processes[process]
        state.cells[numbers[numbers < len(state.cells)]] = 0

    def page_out(self, process: Process, pages: Pages, *, drop: bool = False) -> None:
        self._next(-1)

    def pin(self, process: Process, pages: Pages, *, write: bool = True, longterm: bool = False) -> Reference:
        return self._take(process, pages, self._next(-1), write, coherent=True)

    def get(self, process: Process, pages: Pages, *, write: bool = False, coherent: bool = True) -> Reference:
        return self._take(process, pages, self._next(-1), write, coherent)

    def release(self, reference: Reference) -> None:
        self._next(-1)
        self.references[reference] = None

    def device_write(self, reference: Reference) -> None:
        state = self.references[reference]
        token = self._next(state.owner if state else -1)
        if state is not None:
            self.values[state.cells] = token

    def device_read(self, reference: Reference) -> None:
        self._next(-1)

    def move(self, process: Process, cpu: int) -> None:
        self._next(-1)

    def drain(self, cpu: int) -> None:
        self._next(-1)

    def stage(self, process: Process, pages: Pages, state: PageState, on: bool) -> None:
        self._next(-1)

    def page_values(self, process: int, pages: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return what a process must read in each page."""
        return self.values[self._cells(self.processes[process], pages, touch=False)]

    def allows(self, reference: int, index: int, seen: int) -> bool:
        """Return whether a reader of element `index` of a live reference may see the value `seen`."""
        state = self.references[reference]
        if state is None:
            raise ProgramError(f"there is no live reference {reference}")
        if state.coherent:
            return bool(self.values[state.cells[index]] == seen)
        return seen == state.first[index] or (self.writers[seen] == state.owner and seen > state.since)

    def led(self, reference: int, index: int) -> bool:
        """Return whether an element of a live reference is coherent and still shares the cell of its owner's page."""
        state = self.references[reference]
        assert state is not None
        owner, page = self.processes[state.owner], state.pages[[index]]
        return state.coherent and bool(self._cells(owner, page, touch=False)[0] == state.cells[index])

    def adopt_page(self, process: int, page: int, value: int) -> None:
        """Take over what a process was seen to read, so that one fault is told once."""
        cell = self._cells(self.processes[process], np.array([page]), touch=True)
        self.values[cell] = value

    def cut_off(self, elements: list[tuple[int, int, int, int]]) -> None:
        """Take over what references were seen to show: (handle, element, frame, value) each.

        Coherent ones leave their owner's page; those that left the same cell together and lie in the same frame
        share a history.
        """
        made: dict[tuple[int, int], np.int64] = {}
        for handle, index, frame, value in elements:
            state = self.references[handle]
            assert state is not None
            if not state.coherent:
                state.first[index] = value
                continue
            group = (int(state.cells[index]), frame)
            if group not in made:
                made[group] = self._new(np.array([value]))[0]
            state.cells[index] = made[group]

    def _next(self, writer: int) -> int:
        self.writers.append(writer)
        return len(self.writers) - 1

    def _new(self, values: npt.NDArray[np.int64]) -> Cells:
        end = self.cells + len(values)
        if end > len(self.values):
            self.values = np.concatenate((self.values, np.zeros(max(end, 2 * len(self.values)), np.int64)))
        made = np.arange(self.cells, end)
        self.values[made] = values
        self.cells = end
        return made

    def _cells(self, state: IdealProcess, pages: npt.NDArray[np.int64], *, touch: bool) -> Cells:
        """Return the cells of pages; `touch` makes those that do not exist yet."""
        stop = int(pages.max(initial=-1)) + 1
        if stop > len(state.cells):
            state.cells = np.concatenate((state.cells, np.zeros(stop - len(state.cells), np.int64)))
        if touch:
            absent = np.unique(pages[state.cells[pages] == 0])
            state.cells[absent] = self._new(np.zeros(len(absent), np.int64))
        return state.cells[pages]

    def _write(self, process: int, pages: npt.NDArray[np.int64], token: int) -> None:
        state = self.processes[process]
        if state.alive:
            self.values[self._cells(state, pages, touch=True)] = token

    def _copy(self, parent: IdealProcess, child: IdealProcess) -> None:
        child.cells = np.zeros(len(parent.cells), np.int64)
        pages = np.flatnonzero(parent.cells)
        if parent.skipped:
            pages = pages[~np.isin(pages, list(parent.skipped))]
        child.cells[pages] = self._new(self.values[parent.cells[pages]])

    def _take(self, process: int, pages: Pages, number: int, write: bool, coherent: bool) -> Reference:
        handle = len(self.references)
        self.references.append(None)
        if self.processes[process].alive and handle not in self.outcome.refused:
            self._hold(handle, process, np.array(pages, np.int64), number, write=write, coherent=coherent)
        return Reference(handle)

    def _during(self, process: int, child: int, during: Sequence[During], numbers: list[int]) -> None:
        """Interleaved operations: the child may be its parent at any instant between the writes that landed."""
        handles = [len(self.references) + sum(e.kind != "write" for e in during[:i]) for i in range(len(during))]
        self.references.extend(None for entry in during if entry.kind != "write")
        if not self.processes[process].alive:
            return
        told = dict(zip((i for i, e in enumerate(during) if e.kind == "write"), self.outcome.writes, strict=True))
        order = sorted(told, key=lambda i: during[i].at)
        pages = [np.asarray(entry.pages, np.int64) for entry in during]
        touched = np.unique(np.concatenate([*(pages[i][: told[i][0]] for i in order), np.zeros(0, np.int64)]))
        rows = [self.page_values(process, touched)]
        for i in order:
            for page in pages[i][: told[i][0]]:
                self._write(process, np.array([page]), numbers[i])
                rows.append(self.page_values(process, touched))
        if len(rows) > 1 and self.processes[child].alive:
            self.instants = (child, touched, np.array(rows))
        for i, entry in enumerate(during):
            if entry.kind == "write":
                self._write(process, pages[i][told[i][0] : told[i][0] + told[i][1]], numbers[i])
            elif handles[i] not in self.outcome.refused:
                self._hold(handles[i], process, pages[i], numbers[i], write=True, coherent=True)

    def _hold(
        self, handle: int, process: int, pages: npt.NDArray[np.int64], number: int, *, write: bool, coherent: bool
    ) -> None:
        cells = self._cells(self.processes[process], pages, touch=True).copy()
        self.references[handle] = IdealReference(
            process, pages, cells, write, coherent, number, self.values[cells].copy()
        )
