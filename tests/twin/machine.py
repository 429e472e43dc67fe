"""The twin as a Machine: handles, operation numbers and arguments; the work is done next door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cowbench.errors import ProgramError
from cowbench.ledger import Ledger
from cowbench.machine import During, MachineConfig, Pages, PageState
from cowbench.machine import Process as ProcessHandle
from cowbench.machine import Reference as ReferenceHandle
from tests.twin import faults, memory, references, snapshot
from tests.twin.behaviour import behaviour
from tests.twin.fork import fork
from tests.twin.interleave import Interleaving, Step
from tests.twin.reclaim import page_out
from tests.twin.state import Entry, Frame, Mm, Process, Reference, State
from tests.twin.zap import zap


class Twin:
    """A Machine driven by policy `policy_name` with `parameters`, page by page. `ledger` counts as it goes."""

    def __init__(self, policy_name: str, parameters: dict[str, Any], config: MachineConfig) -> None:
        self.state = State(config, behaviour(policy_name, parameters))
        self._number = 0

    @property
    def ledger(self) -> Ledger:
        """The counters of this run."""
        return self.state.ledger

    def snapshot(self) -> dict[str, Any]:
        """Return the full state as plain data."""
        return snapshot.snapshot(self.state)

    def observe(self) -> dict[tuple[Any, ...], int]:
        """Return what every process and every live reference would read now."""
        return snapshot.observe(self.state)

    def spawn(self, *, cpu: int = 0, memcg: int = 0) -> ProcessHandle:
        """Start a process."""
        self._known_cpu(cpu)
        self._next()
        return ProcessHandle(self._new_process(cpu, memcg).number)

    def write(self, process: ProcessHandle, pages: Pages) -> None:
        """Store this operation's number in each page."""
        who, number = self._process(process), self._next()
        if who.born:
            faults.write(self.state, who, _list(pages), number)

    def read(self, process: ProcessHandle, pages: Pages) -> None:
        """Load each page."""
        who, _ = self._process(process), self._next()
        if who.born:
            faults.read(self.state, who, _list(pages))

    def fork(
        self,
        process: ProcessHandle,
        *,
        during: Sequence[During] = (),
        fail_at: int | None = None,
        memcg: int | None = None,
    ) -> ProcessHandle:
        """Fork, with the interleaved steps in order."""
        parent, _ = self._process(process), self._next()
        child = self._new_process(parent.cpu, parent.memcg if memcg is None else memcg)
        steps = [self._step(step) for step in during]
        if not parent.born:
            child.alive = child.born = False
            return ProcessHandle(child.number)
        others = Interleaving(self.state, parent, steps)
        fork(self.state, parent, child, fail_at, others)
        others.finish()
        return ProcessHandle(child.number)

    def exec(self, process: ProcessHandle) -> None:
        """Start over with an empty address space."""
        who, _ = self._process(process), self._next()
        if who.born:
            zap(self.state, who, list(who.mm.pages))
            who.mm = Mm()

    def exit(self, process: ProcessHandle) -> None:
        """End a process."""
        who, _ = self._process(process), self._next()
        if who.born:
            zap(self.state, who, list(who.mm.pages))
            who.mm, who.alive = Mm(), False

    def protect(self, process: ProcessHandle, pages: Pages, *, tracked: bool = False) -> None:
        """mprotect to read-only and back."""
        who, _ = self._process(process), self._next()
        for page in _list(pages):
            if page in who.mm.pages:
                self._protect(who.mm.pages[page], tracked)

    def _protect(self, entry: Entry, tracked: bool) -> None:
        entry.tracked |= tracked
        maps = self.state.policy.mprotect
        upgrade = maps == "always" or (maps == "dirty" and entry.dirty)
        entry.write = entry.frame is not None and upgrade and entry.exclusive and not entry.tracked

    def dontfork(self, process: ProcessHandle, pages: Pages) -> None:
        """Children do not get these pages."""
        who, _ = self._process(process), self._next()
        if who.born:
            who.mm.dontfork.update(_list(pages))

    def discard(self, process: ProcessHandle, pages: Pages) -> None:
        """Forget pages."""
        who, _ = self._process(process), self._next()
        if who.born:
            zap(self.state, who, _list(pages))

    def page_out(self, process: ProcessHandle, pages: Pages, *, drop: bool = False) -> None:
        """Swap pages out."""
        who, _ = self._process(process), self._next()
        if who.born:
            page_out(self.state, who, _list(pages), drop)

    def pin(
        self, process: ProcessHandle, pages: Pages, *, write: bool = True, longterm: bool = False
    ) -> ReferenceHandle:
        """Take FOLL_PIN references."""
        who, _ = self._process(process), self._next()
        return self._take(who, pages, self._new_reference(kind="pin", write=write, longterm=longterm))

    def get(
        self, process: ProcessHandle, pages: Pages, *, write: bool = False, coherent: bool = True
    ) -> ReferenceHandle:
        """Take FOLL_GET references."""
        if write and not coherent:
            raise ProgramError("get: a snapshot is for reading only; ask for coherent=True")
        who, _ = self._process(process), self._next()
        return self._take(who, pages, self._new_reference(kind="get", write=write, coherent=coherent))

    def _take(self, who: Process, pages: Pages, request: Reference) -> ReferenceHandle:
        if who.born:
            references.take(self.state, who, request, _list(pages))
        return ReferenceHandle(request.number)

    def release(self, reference: ReferenceHandle) -> None:
        """Drop a reference."""
        which, _ = self._reference(reference), self._next()
        if which.born:
            references.release(self.state, which)

    def device_write(self, reference: ReferenceHandle) -> None:
        """Store this operation's number past the page tables."""
        which = self._reference(reference)
        if not which.write:
            raise ProgramError(f"reference {reference} is for reading; take it with write=True")
        number = self._next()
        if which.born:
            references.device_write(self.state, which, number)

    def device_read(self, reference: ReferenceHandle) -> None:
        """Load past the page tables: nothing changes."""
        self._reference(reference)
        self._next()

    def move(self, process: ProcessHandle, cpu: int) -> None:
        """Run on another CPU."""
        self._known_cpu(cpu)
        who, _ = self._process(process), self._next()
        if who.born:
            who.cpu = cpu

    def drain(self, cpu: int) -> None:
        """Flush a batch."""
        self._known_cpu(cpu)
        self._next()
        memory.drain(self.state, cpu)

    def stage(self, process: ProcessHandle, pages: Pages, state: PageState, on: bool) -> None:
        """Set or clear a bit of the frames that these pages lead to."""
        who, _ = self._process(process), self._next()
        for page in _list(pages):
            entry = who.mm.pages.get(page)
            frame = entry.leads_to() if entry is not None else None
            if frame is not None:
                self._stage(frame, state, on)

    def _stage(self, frame: Frame, state: PageState, on: bool) -> None:
        if state == "locked":
            frame.locked = on
        elif state == "writeback":
            frame.writeback = on and frame.slot is not None
        elif frame.speculative != on:
            frame.speculative = on
            if on:
                frame.refcount += 1
            else:
                memory.put(self.state, frame)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _new_process(self, cpu: int, memcg: int) -> Process:
        process = Process(len(self.state.processes), cpu, memcg)
        self.state.processes.append(process)
        return process

    def _new_reference(self, **request: Any) -> Reference:
        reference = Reference(len(self.state.references), **request)
        self.state.references.append(reference)
        return reference

    def _step(self, step: During) -> Step:
        reference = None
        if step.kind != "write":
            reference = self._new_reference(kind=step.kind, write=True, longterm=step.kind == "pin")
        return Step(step.at, step.kind, _list(step.pages), self._next(), reference)

    def _process(self, handle: int) -> Process:
        if not 0 <= handle < len(self.state.processes):
            raise ProgramError(f"process {handle} was never started")
        process = self.state.processes[handle]
        if process.born and not process.alive:
            raise ProgramError(f"process {handle} has exited; use a live one")
        return process

    def _reference(self, handle: int) -> Reference:
        if not 0 <= handle < len(self.state.references):
            raise ProgramError(f"reference {handle} was never taken")
        reference = self.state.references[handle]
        if reference.born and not reference.live:
            raise ProgramError(f"reference {handle} was released; use a live one")
        return reference

    def _known_cpu(self, cpu: int) -> None:
        if not 0 <= cpu < self.state.config.cpus:
            raise ProgramError(f"CPU {cpu} does not exist; the machine has {self.state.config.cpus}")


def _list(pages: Pages) -> list[int]:
    numbers = [int(page) for page in pages]
    if any(page < 0 for page in numbers):
        raise ProgramError("page numbers start at 0")
    return numbers
