"""A Machine that has no memory but counts what a script does, and refuses what no machine could do.

It knows which pages a process has, who forked whom, and what was written while a child lived: enough to measure
the ratios that a workload declares, without a policy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cowbench.errors import ProgramError
from cowbench.machine import MAX_PAGES, During, MachineConfig, Pages, PageState, Process, Reference


class Pageset:
    """A set of page numbers."""

    def __init__(self, mask: npt.NDArray[np.bool_] | None = None) -> None:
        self._mask = np.zeros(64, np.bool_) if mask is None else mask

    def put(self, pages: Pages, member: bool = True) -> None:
        """Put pages in, or take them out."""
        top = max(pages, default=-1) if isinstance(pages, range) else int(pages.max(initial=-1))
        if top >= len(self._mask):
            self._mask = np.concatenate((self._mask, np.zeros(2 * top + 2 - len(self._mask), np.bool_)))
        self._mask[slice(pages.start, pages.stop) if isinstance(pages, range) else pages] = member

    def numbers(self) -> npt.NDArray[np.intp]:
        """Return the page numbers, ascending."""
        return np.flatnonzero(self._mask)

    def copy(self) -> Pageset:
        """Return an independent copy."""
        return Pageset(self._mask.copy())

    def __len__(self) -> int:
        return int(np.count_nonzero(self._mask))


@dataclass
class Life:
    """One fork and what happened until its child exec'ed or exited.

    inherited: the pages the child got, swapped: those of them in swap. pinned, got: pages of the parent under live
    FOLL_PIN and FOLL_GET; longterm: of the pinned ones; references: elements of all its live references.
    alive: processes then, the child included. during: pages named by operations of other threads.
    parent_writes: page writes of the parent, duplicates counted. parent_wrote, child_wrote, child_read: distinct pages.
    """

    parent: Process
    inherited: Pageset
    swapped: int
    pinned: int
    longterm: int
    got: int
    references: int
    alive: int
    during: int
    parent_writes: int = 0
    parent_wrote: Pageset = field(default_factory=Pageset)
    child_wrote: Pageset = field(default_factory=Pageset)
    child_read: Pageset = field(default_factory=Pageset)
    over: bool = False

    def written(self) -> float:
        """Return the share of what the child got that it wrote itself."""
        return float(np.isin(self.inherited.numbers(), self.child_wrote.numbers()).mean())


@dataclass
class _Process:
    pages: Pageset = field(default_factory=Pageset)
    swapped: Pageset = field(default_factory=Pageset)
    dontfork: Pageset = field(default_factory=Pageset)
    life: Life | None = None
    alive: bool = True


@dataclass
class _Reference:
    owner: Process
    pages: Pages
    write: bool
    pin: bool = False
    longterm: bool = False
    coherent: bool = True
    live: bool = True


class Probe:
    """Counts `calls` and `pages` by operation (of fork: the pages it walks), and keeps one Life a fork in `lives`."""

    def __init__(self, config: MachineConfig | None = None) -> None:
        self.config = config or MachineConfig()
        self.calls: Counter[str] = Counter()
        self.pages: Counter[str] = Counter()
        self.lives: list[Life] = []
        self.references: list[_Reference] = []
        self._processes: list[_Process] = []
        self._open: list[Life] = []

    def alive(self) -> int:
        """Return the number of living processes."""
        return sum(process.alive for process in self._processes)

    def held(self) -> int:
        """Return the number of live references."""
        return sum(reference.live for reference in self.references)

    def spawn(self, *, cpu: int = 0, memcg: int = 0) -> Process:
        self._count("spawn")
        self._cpu(cpu)
        return self._born(_Process())

    def write(self, process: Process, pages: Pages) -> None:
        life = self._touch("write", process, pages).life
        if life:
            life.child_wrote.put(pages)
        for other in self._open:
            if other.parent == process:
                other.parent_writes += len(pages)
                other.parent_wrote.put(pages)

    def read(self, process: Process, pages: Pages) -> None:
        life = self._touch("read", process, pages).life
        if life:
            life.child_read.put(pages)

    def fork(
        self, process: Process, *, during: Sequence[During] = (), fail_at: int | None = None, memcg: int | None = None
    ) -> Process:
        parent = self._living(process)
        pages, swapped = parent.pages.copy(), parent.swapped.copy()
        for kept in (pages, swapped):
            kept.put(parent.dontfork.numbers(), False)
        life = self._life(process, pages, len(swapped), sum(len(entry.pages) for entry in during))
        for entry in during:
            self._touch("write", process, entry.pages)
        self._count("fork", range(len(pages)))
        self.lives.append(life)
        self._open.append(life)
        return self._born(_Process(pages.copy(), swapped, life=life))

    def exec(self, process: Process) -> None:
        self._count("exec")
        mine = self._living(process)
        self._end(mine)
        mine.pages, mine.swapped, mine.dontfork = Pageset(), Pageset(), Pageset()

    def exit(self, process: Process) -> None:
        self._count("exit")
        mine = self._living(process)
        self._end(mine)
        mine.alive = False

    def protect(self, process: Process, pages: Pages, *, tracked: bool = False) -> None:
        self._at("protect", process, pages)

    def dontfork(self, process: Process, pages: Pages) -> None:
        self._at("dontfork", process, pages).dontfork.put(pages)

    def discard(self, process: Process, pages: Pages) -> None:
        mine = self._at("discard", process, pages)
        mine.pages.put(pages, False)
        mine.swapped.put(pages, False)

    def page_out(self, process: Process, pages: Pages, *, drop: bool = False) -> None:
        """Take the pages out, shared or not: a workload that pages out shared pages measures too many here."""
        mine = self._at("page_out", process, pages)
        chosen = np.asarray(pages)
        mine.swapped.put(chosen[np.isin(chosen, mine.pages.numbers())])

    def pin(self, process: Process, pages: Pages, *, write: bool = True, longterm: bool = False) -> Reference:
        self._touch("pin", process, pages)
        return self._take(_Reference(process, pages, write, pin=True, longterm=longterm))

    def get(self, process: Process, pages: Pages, *, write: bool = False, coherent: bool = True) -> Reference:
        if write and not coherent:
            raise ProgramError("a snapshot reference is for reading only")
        self._touch("get", process, pages)
        return self._take(_Reference(process, pages, write, coherent=coherent))

    def release(self, reference: Reference) -> None:
        self._count("release")
        self._live(reference).live = False

    def device_write(self, reference: Reference) -> None:
        held = self._live(reference)
        self._count("device_write", held.pages)
        if not held.write:
            raise ProgramError(f"reference {reference} is for reading")

    def device_read(self, reference: Reference) -> None:
        self._count("device_read", self._live(reference).pages)

    def move(self, process: Process, cpu: int) -> None:
        self._count("move")
        self._living(process)
        self._cpu(cpu)

    def drain(self, cpu: int) -> None:
        self._count("drain")
        self._cpu(cpu)

    def stage(self, process: Process, pages: Pages, state: PageState, on: bool) -> None:
        self._at("stage", process, pages)

    def _count(self, name: str, pages: Pages = range(0)) -> None:
        self.calls[name] += 1
        self.pages[name] += len(pages)

    def _cpu(self, cpu: int) -> None:
        if not 0 <= cpu < self.config.cpus:
            raise ProgramError(f"no CPU {cpu}")

    def _born(self, process: _Process) -> Process:
        self._processes.append(process)
        return Process(len(self._processes) - 1)

    def _living(self, process: Process) -> _Process:
        if not self._processes[process].alive:
            raise ProgramError(f"process {process} is dead")
        return self._processes[process]

    def _live(self, reference: Reference) -> _Reference:
        if not self.references[reference].live:
            raise ProgramError(f"reference {reference} is released")
        return self.references[reference]

    def _at(self, name: str, process: Process, pages: Pages) -> _Process:
        array = np.asarray(pages)
        if isinstance(pages, range) and pages.step != 1:
            raise ProgramError(f"{name}: a range of step {pages.step}")
        if len(array) and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= MAX_PAGES):
            raise ProgramError(f"{name}: not page numbers: {pages}")
        self._count(name, pages)
        return self._living(process)

    def _touch(self, name: str, process: Process, pages: Pages) -> _Process:
        mine = self._at(name, process, pages)
        mine.pages.put(pages)
        mine.swapped.put(pages, False)
        return mine

    def _take(self, reference: _Reference) -> Reference:
        self.references.append(reference)
        return Reference(len(self.references) - 1)

    def _end(self, process: _Process) -> None:
        if process.life and not process.life.over:
            process.life.over = True
            self._open.remove(process.life)

    def _life(self, parent: Process, pages: Pageset, swapped: int, during: int) -> Life:
        own = [reference for reference in self.references if reference.live and reference.owner == parent]
        return Life(
            parent=parent,
            inherited=pages,
            swapped=swapped,
            pinned=_covered(reference.pages for reference in own if reference.pin),
            longterm=_covered(reference.pages for reference in own if reference.longterm),
            got=_covered(reference.pages for reference in own if not reference.pin),
            references=sum(len(reference.pages) for reference in own),
            alive=self.alive() + 1,
            during=during,
        )


def _covered(batches: Iterable[Pages]) -> int:
    covered = Pageset()
    for pages in batches:
        covered.put(pages)
    return len(covered)
