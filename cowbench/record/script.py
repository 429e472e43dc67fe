"""What was seen, in order, as operations and notes of a recording: hands out handles, numbers pages, tells the time."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable

import numpy as np

from cowbench import operations as ops
from cowbench.machine import Pages, Process, Reference
from cowbench.operations import Operation
from cowbench.record.numbering import Marks, Numbering
from cowbench.record.pagemap import PAGE, Numbers
from cowbench.recording import Addresses, End, Frames, Missed, Overhead, Program, RecordingWriter


class Script:
    """Writes to `writer`. Pages are given as virtual ones. Raises ProgramError when the file cannot be written."""

    def __init__(self, writer: RecordingWriter) -> None:
        self.writer = writer
        self.missed: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.pages_written = 0
        self._numbering = Numbering()
        self._there: dict[Process, Marks] = {}
        self._handles = self._references = 0
        self._ms, self._told = 0, -1
        self._fresh = True

    def now(self, ms: float) -> None:
        """What follows happened up to `ms` after the start; kept as whole milliseconds."""
        self._ms = max(self._ms, math.ceil(ms))

    def spawn(self) -> Process:
        """A process that no recorded one forked."""
        self._add(ops.Spawn())
        process = self._handle()
        self._there[process] = Marks()
        return process

    def fork(self, parent: Process) -> Process:
        """A child of a recorded process."""
        self._add(ops.Fork(parent))
        child = self._handle()
        self._there[child] = self._there[parent].copy()
        return child

    def image(self, process: Process, pid: int) -> None:
        """Say what a process is, and what it executes."""
        try:
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            exe = ""
        self.writer.note(Program(process, pid, exe))

    def exec(self, process: Process) -> None:
        """Its memory is replaced."""
        self._add(ops.Exec(process))
        self._there[process] = Marks()

    def exit(self, process: Process) -> None:
        """It is gone."""
        self._add(ops.Exit(process))
        del self._there[process]

    def write(self, process: Process, pages: Numbers) -> None:
        """Pages were written, in any order."""
        if len(pages):
            self._write(process, self.numbered(pages))

    def appear(self, process: Process, pages: Numbers) -> None:
        """Pages are there; those that no operation put there are recorded as written.

        The kernel fills a page for a system call that then does not write to it, and leaves its protection.
        """
        numbers = self.numbered(pages)
        fresh = numbers[~self._there[process].at(numbers)]
        if len(fresh):
            self._write(process, fresh)

    def _write(self, process: Process, numbers: Numbers) -> None:
        self.pages_written += len(numbers)
        self._there[process].mark(numbers, True)
        self._add(ops.Write(process, numbers))

    def discard(self, process: Process, start: int, stop: int) -> None:
        """Addresses from `start` to `stop` are empty again; pages never seen written there are left out."""
        pages = self._numbering.known(start // PAGE, -(-stop // PAGE))
        if len(pages):
            self._discard(process, pages)

    def _discard(self, process: Process, numbers: Numbers) -> None:
        self._there[process].mark(numbers, False)
        self._add(ops.Discard(process, numbers))

    def vanish(self, process: Process, pages: Numbers) -> None:
        """Pages are gone; how is not known."""
        if len(pages):
            self._discard(process, self.numbered(pages))

    def dontfork(self, process: Process, start: int, stop: int, told: int = 0) -> int:
        """Children do not get pages between two addresses: said if those are more than `told`. Return how many."""
        pages = self._numbering.known(start // PAGE, -(-stop // PAGE))
        if len(pages) > told:
            self._add(ops.Dontfork(process, pages))
        return len(pages)

    def protect(self, process: Process, start: int, stop: int) -> None:
        """What is between two addresses was made read-only, and can be written again."""
        self._known(ops.Protect, process, start, stop)

    def page_out(self, process: Process, start: int, stop: int) -> None:
        """What is between two addresses was put out to swap."""
        self._known(ops.PageOut, process, start, stop)

    def _known(self, kind: Callable[[Process, Pages], Operation], process: Process, start: int, stop: int) -> None:
        pages = self._numbering.known(start // PAGE, -(-stop // PAGE))
        if len(pages):
            self._add(kind(process, pages))

    def pin(self, process: Process, start: int, stop: int) -> Reference:
        """A device has what is between two addresses, for writing and for long."""
        return self._reference(ops.Pin(process, self._between(start, stop), write=True, longterm=True))

    def get(self, process: Process, start: int, stop: int, write: bool, coherent: bool) -> Reference:
        """The kernel holds what is between two addresses: for I/O (coherent), or as a snapshot."""
        return self._reference(ops.Get(process, self._between(start, stop), write=write, coherent=coherent))

    def transfer(self, reference: Reference, into_memory: bool) -> None:
        """A device wrote all pages of a reference, or read them."""
        self._add(ops.DeviceWrite(reference) if into_memory else ops.DeviceRead(reference))

    def release(self, reference: Reference) -> None:
        """A reference is dropped."""
        self._add(ops.Release(reference))

    def _between(self, start: int, stop: int) -> Pages:
        return self.numbered(np.arange(start // PAGE, -(-stop // PAGE), dtype=np.int64))

    def _reference(self, operation: ops.Pin | ops.Get) -> Reference:
        self._there[operation.process].mark(np.asarray(operation.pages), True)
        self._add(operation)
        self._references += 1
        return Reference(self._references - 1)

    def numbered(self, pages: Numbers) -> Numbers:
        """Return the numbers of virtual pages, and note which addresses they have."""
        first = len(self._numbering)
        numbers = self._numbering.of(pages)
        if self._numbering.fresh:
            self.writer.note(Addresses(first, tuple(self._numbering.fresh)))
            self._numbering.fresh = []
        return numbers

    def frames(self, note: Frames) -> None:
        """Add a comparison of frames."""
        self._tell()
        self.writer.note(note)

    @property
    def ms(self) -> int:
        """Time of what came last."""
        return self._ms

    def flush(self) -> None:
        """Make all that was seen so far readable."""
        if self._fresh:
            self.writer.flush()
            self._fresh = False

    def end(self, overhead: Overhead, why: str, status: int | None) -> None:
        """Say what was missed, what it cost, why it ends, and the exit status of the program if it has one."""
        for what, count in sorted(self.missed.items()):
            self.writer.note(Missed(what, count))
        self.writer.note(overhead)
        self.writer.note(End(self._ms, why, status))

    def _add(self, operation: Operation) -> None:
        self._tell()
        self._fresh = True
        self.writer.operation(operation)
        self.operations[operation.op] += 1

    def _tell(self) -> None:
        if self._ms != self._told:
            self.writer.time(self._ms)
            self._told = self._ms

    def _handle(self) -> Process:
        self._handles += 1
        return Process(self._handles - 1)
