"""What was seen, in order, as operations and notes of a recording: hands out handles, numbers pages, tells the time."""

from __future__ import annotations

import math
import os
from collections import Counter

from cowbench import operations as ops
from cowbench.machine import Pages, Process
from cowbench.operations import Operation
from cowbench.record.numbering import Numbering
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
        self._handles = 0
        self._ms, self._told = 0, -1

    def now(self, ms: float) -> None:
        """What follows happened up to `ms` after the start; kept as whole milliseconds."""
        self._ms = max(self._ms, math.ceil(ms))

    def spawn(self) -> Process:
        """A process that no recorded one forked."""
        self._add(ops.Spawn())
        return self._handle()

    def fork(self, parent: Process) -> Process:
        """A child of a recorded process."""
        self._add(ops.Fork(parent))
        return self._handle()

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

    def exit(self, process: Process) -> None:
        """It is gone."""
        self._add(ops.Exit(process))

    def write(self, process: Process, pages: Numbers) -> None:
        """Pages were written, in any order."""
        if len(pages):
            self.pages_written += len(pages)
            self._add(ops.Write(process, self.numbered(pages)))

    def discard(self, process: Process, start: int, stop: int) -> None:
        """Addresses from `start` to `stop` are empty again; pages never seen written there are left out."""
        pages = self._numbering.known(start // PAGE, -(-stop // PAGE))
        if len(pages):
            self._add(ops.Discard(process, pages))

    def numbered(self, pages: Numbers) -> Pages:
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

    def end(self, overhead: Overhead, why: str, status: int | None) -> None:
        """Say what was missed, what it cost, why it ends, and the exit status of the program if it has one."""
        for what, count in sorted(self.missed.items()):
            self.writer.note(Missed(what, count))
        self.writer.note(overhead)
        self.writer.note(End(self._ms, why, status))

    def _add(self, operation: Operation) -> None:
        self._tell()
        self.writer.operation(operation)
        self.operations[operation.op] += 1

    def _tell(self) -> None:
        if self._ms != self._told:
            self.writer.time(self._ms)
            self._told = self._ms

    def _handle(self) -> Process:
        self._handles += 1
        return Process(self._handles - 1)
