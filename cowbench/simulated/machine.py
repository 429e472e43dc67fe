"""The simulated computer: handles, checks and the way from each operation to the part that carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from cowbench.errors import OutOfFrames, ProgramError
from cowbench.ledger import Ledger
from cowbench.machine import MAX_MEMCG, MAX_PAGES, During, MachineConfig, Pages, PageState, Process, Reference
from cowbench.policy import Policy
from cowbench.simulated.batches import Batches
from cowbench.simulated.booking import count_leaks, tell
from cowbench.simulated.faults import (
    as_array,
    ascending,
    first_occurrences,
    out_of_frames,
    read_pages,
    write_pages,
)
from cowbench.simulated.fork import Walk
from cowbench.simulated.frames import Frames, IntArray, check_sharers
from cowbench.simulated.memory import Memory
from cowbench.simulated.process import ProcessState, ReferenceState, distinct_pages
from cowbench.simulated.protect import protect, stage
from cowbench.simulated.quiet import QuietFork, can_wait, cancel, put_off, settle
from cowbench.simulated.reclaim import page_out
from cowbench.simulated.references import device_write, fault_in, release, take
from cowbench.simulated.rows import Rows
from cowbench.simulated.slots import Slots
from cowbench.simulated.threads import Landing, Thread
from cowbench.simulated.words import WRITE
from cowbench.simulated.zap import discard, zap_all

RELEASED: Literal[0] = 0
"""Stands in `references` for one that was released; None for one that was never taken."""


class SimulatedMachine:
    """A Machine whose pages are numpy columns and whose decisions are a policy's.

    `ledger` counts what happened; `threads` says how the last fork's interleaved operations fared.
    """

    def __init__(self, policy: Policy, config: MachineConfig | None = None) -> None:
        config = config or MachineConfig()
        flags, ledger = policy.flags(), Ledger()
        frames = Frames(config.frames, dict(config.memcg_limits))
        batches = Batches(frames, config.cpus, flags.lru_batch)
        rows = Rows(config.frames + 1)
        self.memory = Memory(config, policy, flags, frames, Slots(frames), batches, ledger, rows)
        self.processes: list[ProcessState] = []
        self.references: list[ReferenceState | Literal[0] | None] = []
        self.operations = 0
        self.threads: list[Thread] = []
        self._quiet: QuietFork | None = None
        self._live = 0
        self._held: IntArray | None = None

    @property
    def ledger(self) -> Ledger:
        """The counters of this run."""
        self.memory.ledger.frames_peak = self.memory.frames.peak
        return self.memory.ledger

    def spawn(self, *, cpu: int = 0, memcg: int = 0) -> Process:
        self._next()
        self._check_cpu(cpu)
        return self._born(ProcessState(len(self.processes), cpu, self._group(memcg)))

    def write(self, process: Process, pages: Pages) -> None:
        token = self._next()
        state, pages = self._touch(process, pages)
        if state.alive and len(pages):
            write_pages(self.memory, state, pages, token)

    def read(self, process: Process, pages: Pages) -> None:
        self._next()
        state, pages = self._touch(process, pages)
        if state.alive and len(pages):
            read_pages(self.memory, state, pages)

    def fork(
        self,
        process: Process,
        *,
        during: Sequence[During] = (),
        fail_at: int | None = None,
        memcg: int | None = None,
    ) -> Process:
        self._number()
        parent = self._process(process)
        if fail_at is not None and fail_at < 1:
            raise ProgramError(f"fail_at={fail_at} must be 1 or more: it counts the early copies of this fork")
        group = parent.memcg if memcg is None else self._group(memcg)
        check_sharers(self._live + 1)
        child = ProcessState(len(self.processes), parent.cpu, group, alive=False)
        self.processes.append(child)
        if not (during or fail_at) and parent.alive and self._fork_quietly(parent, child):
            return Process(child.handle)
        self.settle()
        landing = Landing([self._thread(parent, entry) for entry in during])
        self.threads = landing.threads
        if not parent.alive:
            return Process(child.handle)
        walk = Walk(self.memory, parent, child, fail_at, self._held_pages, self._live)
        self._walk(walk, landing)
        walk.book()
        if walk.failed:
            zap_all(self.memory, child)
        else:
            child.alive = child.born = True
            self._live += 1
            if landing.torn(self.memory, child):
                self.memory.ledger.torn_snapshots += 1
                tell(self.memory, "torn_snapshots", child.handle, np.zeros(1, np.intp))
        self._finish_threads(parent, landing)
        return Process(child.handle)

    def exec(self, process: Process) -> None:
        self._number()
        state = self._process(process)
        if state.alive:
            self._zap(state)

    def exit(self, process: Process) -> None:
        self._number()
        state = self._process(process)
        if state.alive:
            self._zap(state)
            state.alive = False
            self._live -= 1

    def protect(self, process: Process, pages: Pages, *, tracked: bool = False) -> None:
        self._next()
        state, pages = self._touch(process, pages)
        if state.alive and len(pages):
            span = slice(pages.start, pages.stop) if isinstance(pages, range) else pages
            protect(self.memory, state, span, tracked)

    def dontfork(self, process: Process, pages: Pages) -> None:
        self._next()
        state, pages = self._touch(process, pages)
        if state.alive:
            if state.dontfork is None:
                state.dontfork = np.zeros(len(state.words), np.bool_)
            state.dontfork[as_array(pages)] = True

    def discard(self, process: Process, pages: Pages) -> None:
        self._next()
        state, pages = self._touch(process, pages)
        if state.alive:
            discard(self.memory, state, as_array(first_occurrences(pages)[0]))

    def page_out(self, process: Process, pages: Pages, *, drop: bool = False) -> None:
        self._next()
        state, pages = self._touch(process, pages)
        if state.alive:
            page_out(self.memory, state, as_array(first_occurrences(pages)[0]), drop)

    def pin(self, process: Process, pages: Pages, *, write: bool = True, longterm: bool = False) -> Reference:
        self._next()
        return self._refer(process, pages, pin=True, write=write, longterm=longterm, coherent=True)

    def get(self, process: Process, pages: Pages, *, write: bool = False, coherent: bool = True) -> Reference:
        self._next()
        if write and not coherent:
            raise ProgramError("get(write=True, coherent=False): a snapshot is for reading only")
        return self._refer(process, pages, pin=False, write=write, longterm=False, coherent=coherent)

    def release(self, reference: Reference) -> None:
        self._next()
        state = self._reference(reference)
        if state is not None:
            release(self.memory, state, reference)
            self._held = None
        self.references[reference] = RELEASED

    def device_write(self, reference: Reference) -> None:
        token = self._next()
        state = self._reference(reference)
        if state is not None:
            if not state.write:
                raise ProgramError(f"device_write: reference {reference} was taken for reading")
            device_write(self.memory, state, token)

    def device_read(self, reference: Reference) -> None:
        self._next()
        self._reference(reference)

    def move(self, process: Process, cpu: int) -> None:
        self._next()
        self._check_cpu(cpu)
        state = self._process(process)
        if state.alive:
            state.cpu = cpu

    def drain(self, cpu: int) -> None:
        self._next()
        self._check_cpu(cpu)
        self.memory.batches.drain(cpu)

    def stage(self, process: Process, pages: Pages, state: PageState, on: bool) -> None:
        self._next()
        target, pages = self._touch(process, pages)
        if target.alive:
            stage(self.memory, target, as_array(first_occurrences(pages)[0]), state, on)

    def settle(self) -> None:
        """Do what a quiet fork put off; every operation does so first, and whoever looks into the machine must."""
        if self._quiet is not None:
            pending, self._quiet = self._quiet, None
            settle(self.memory, pending)

    def _number(self) -> int:
        self.operations += 1
        return self.operations

    def _next(self) -> int:
        self.settle()
        return self._number()

    def _fork_quietly(self, parent: ProcessState, child: ProcessState) -> bool:
        if not can_wait(self.memory, self._quiet, parent, self._held_pages, self._live):
            return False
        self._quiet = put_off(self.memory, parent, child)
        child.alive = child.born = True
        self._live += 1
        self.threads = []
        return True

    def _zap(self, state: ProcessState) -> None:
        if self._quiet is not None and self._quiet.child is state:
            cancel(self.memory, self._quiet, state)
            return
        self.settle()
        zap_all(self.memory, state)

    def _born(self, state: ProcessState) -> Process:
        self.processes.append(state)
        self._live += 1
        return Process(state.handle)

    def _group(self, memcg: int) -> int:
        if not 0 <= memcg <= MAX_MEMCG:
            raise ProgramError(f"memory cgroup {memcg} is outside 0 to {MAX_MEMCG}")
        self.memory.frames.open_group(memcg)
        return memcg

    def _check_cpu(self, cpu: int) -> None:
        if not 0 <= cpu < self.memory.config.cpus:
            raise ProgramError(f"cpu {cpu} is outside 0 to {self.memory.config.cpus - 1}")

    def _process(self, process: Process) -> ProcessState:
        """Return a process that is alive or was never born."""
        if not 0 <= process < len(self.processes):
            raise ProgramError(f"there is no process {process}")
        state = self.processes[process]
        if state.born and not state.alive:
            raise ProgramError(f"process {process} has exited")
        return state

    def _touch(self, process: Process, pages: Pages) -> tuple[ProcessState, Pages]:
        """Return the process, its page table covering `pages`, and the pages as a range or intp array."""
        state = self._process(process)
        pages, stop = checked(pages)
        if state.alive:
            state.reach(stop)
        return state, pages

    def _reference(self, reference: Reference) -> ReferenceState | None:
        """Return a live reference, or None for one that was never taken."""
        if not 0 <= reference < len(self.references):
            raise ProgramError(f"there is no reference {reference}")
        state = self.references[reference]
        if state == RELEASED:
            raise ProgramError(f"reference {reference} was released")
        return state

    def _refer(
        self, process: Process, pages: Pages, *, pin: bool, write: bool, longterm: bool, coherent: bool
    ) -> Reference:
        state, pages = self._touch(process, pages)
        handle = len(self.references)
        self.references.append(None)
        if state.alive:
            self._take(state, pages, handle, pin=pin, write=write, longterm=longterm, coherent=coherent)
        return Reference(handle)

    def _take(
        self,
        state: ProcessState,
        pages: Pages,
        handle: int,
        *,
        pin: bool,
        write: bool,
        longterm: bool,
        coherent: bool,
        fast: bool = False,
    ) -> None:
        """Take references, with the faults they need unless `fast` (all pages are writable already)."""
        memory = self.memory
        numbers = as_array(pages) if isinstance(pages, range) else pages.copy()  # the caller may use the array again
        distinct = first_occurrences(pages)[1] is None
        request = ReferenceState(state, state.space, numbers, numbers, pin, write, longterm, coherent, distinct)
        if pin:
            memory.policy.on_pin(state.space.mm, len(pages), longterm)
        served = len(pages) if fast or not len(pages) else fault_in(memory, state, pages, request)
        if served < len(pages):
            if pin:
                memory.policy.on_unpin(state.space.mm, len(pages), longterm)
            raise out_of_frames(memory, state, served)
        take(memory, request, handle)
        self.references[handle] = request
        self._held = None

    def _held_pages(self) -> IntArray:
        """Return the pages at which live references were taken, sorted, no duplicates."""
        if self._held is None:
            live = (state for state in self.references if isinstance(state, ReferenceState))
            self._held = distinct_pages([state.pages for state in live])
        return self._held

    def _thread(self, parent: ProcessState, entry: During) -> Thread:
        """Give an interleaved operation its number and, if it takes a reference, its handle."""
        number = self._next()
        pages, stop = checked(entry.pages)
        if parent.alive:
            parent.reach(stop)
        handle = None
        if entry.kind != "write":
            handle = len(self.references)
            self.references.append(None)
        return Thread(entry, number, handle, as_array(pages))

    def _walk(self, walk: Walk, landing: Landing) -> None:
        """Walk the page table; interleaved operations land at their page, after fork decided about it."""
        pending = sorted(landing.threads, key=lambda thread: thread.entry.at)
        while pending:
            at = min(pending[0].entry.at, walk.end)
            if not walk.advance(at, walk.decide(at)):
                return
            chosen = walk.decide(min(at + 1, walk.end))
            while pending and min(pending[0].entry.at, walk.end) == at:
                self._land(walk.parent, pending.pop(0), landing)
            if self.memory.policy.sees_truth:
                chosen = walk.decide(min(at + 1, walk.end))  # an oracle decides at the last moment
            if not walk.advance(min(at + 1, walk.end), chosen):
                return
        walk.advance(walk.end, walk.decide(walk.end))

    def _land(self, parent: ProcessState, thread: Thread, landing: Landing) -> None:
        kind = thread.entry.kind
        if kind == "write":
            landing.write(self.memory, parent, thread)
            count_leaks(self.memory, parent, thread.pages[: thread.landed])
            return
        guarded = self.memory.flags.fork_guard if kind == "pin" else self.memory.flags.fork_guards_gets
        if not guarded and bool((parent.words[thread.pages] >= WRITE).all()):
            self._take_thread(parent, thread, fast=True)
            thread.waits = False

    def _take_thread(self, parent: ProcessState, thread: Thread, *, fast: bool) -> None:
        pin = thread.entry.kind == "pin"
        assert thread.handle is not None
        self._take(parent, thread.pages, thread.handle, pin=pin, write=True, longterm=pin, coherent=True, fast=fast)

    def _finish_threads(self, parent: ProcessState, landing: Landing) -> None:
        """Do what waited for the end of fork, in order. Raises OutOfFrames at the first that finds no frame."""
        for thread in landing.threads:
            if not thread.waits:
                continue
            if thread.entry.kind != "write":
                self._take_thread(parent, thread, fast=False)
                continue
            try:
                write_pages(self.memory, parent, thread.pages[thread.landed :], thread.number)
            except OutOfFrames as error:
                thread.finished = error.done
                raise
            thread.finished = len(thread.pages) - thread.landed


def checked(pages: Pages) -> tuple[Pages, int]:
    """Return pages as a range or an intp array, and one past the highest. Raises ProgramError if they are neither."""
    if isinstance(pages, range):
        if pages.step != 1 or pages.start < 0 or pages.stop > MAX_PAGES:
            raise ProgramError(f"pages {pages} must be a range of step 1 within 0 to {MAX_PAGES}")
        return pages, pages.stop if len(pages) else 0
    array = np.asarray(pages)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.integer):
        raise ProgramError(f"pages must be a range or a one-dimensional integer array, not {type(pages).__name__}")
    if not len(array):
        return array.astype(np.intp), 0
    ends = array[[0, -1]] if ascending(array) else (array.min(), array.max())
    lowest, highest = int(ends[0]), int(ends[1])
    if lowest < 0 or highest >= MAX_PAGES:
        raise ProgramError(f"page {lowest if lowest < 0 else highest} is outside 0 to {MAX_PAGES - 1}")
    return array.astype(np.intp, copy=False), highest + 1
