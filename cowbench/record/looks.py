"""Looks at processes: what they wrote, whose frames changed, and who left his memory meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from cowbench.record.messages import Kind
from cowbench.record.pagemap import Numbers
from cowbench.record.script import Script
from cowbench.record.traced import NONE, Traced
from cowbench.record.window import Window
from cowbench.recording import Frames


@dataclass
class Costs:
    """What recording takes: s that processes waited and that looks took, pages that were protected and then written."""

    waited: float = 0.0
    scanned: float = 0.0
    faults: int = 0


@dataclass
class Looks:
    """Looks at the processes, by pid, and records what is found."""

    script: Script
    processes: dict[int, Traced] = field(default_factory=dict)
    costs: Costs = field(default_factory=Costs)

    def at(self, process: Traced) -> Numbers:
        """Record what a process wrote since the last look, and return it."""
        self.settle()
        start = time.monotonic()
        try:
            found = process.written()
        except OSError:
            if not process.is_empty():
                raise
            process.lost += 1  # it ends, or executes another program
            return NONE
        self.costs.scanned += time.monotonic() - start
        self.costs.faults += len(found.pages)
        self.script.vanish(process.handle, found.gone)
        self.script.write(process.handle, found.pages)
        return found.pages

    def between(self, process: Traced, start: int, stop: int, record: bool) -> None:
        """Record what a process wrote between two addresses, or forget it."""
        found = process.written_between(start, stop)
        if record:
            self.script.write(process.handle, found)

    def at_kin(self, process: Traced) -> None:
        """Look at those that may share pages with a process, as what it does next changes what their writes cost."""
        for one in list(self.processes.values()):
            if one.pid == process.parent or one.parent == process.pid:
                self.at(one)

    def last(self, process: Traced) -> None:
        """Look at a process that is about to end, and at its kin; compare its frames and its parent's."""
        self.at(process)
        self.at_kin(process)
        for one in (self.processes.get(process.parent), process):
            if one and one.window:
                self._compare(one, one.window)

    def at_fork(self, process: Traced) -> Window:
        """Begin another window of a process that forks. Raises ProcessLookupError if it is gone."""
        if process.window:
            self._compare(process, process.window)
        else:
            process.window = Window(*process.there(), process.handle)
        assert process.window is not None
        self.script.appear(process.handle, process.window.pages)
        return process.window

    def _compare(self, process: Traced, before: Window) -> None:
        """Note how many frames changed since `before`; begin another window."""
        try:
            after = Window(*process.there(), before.child)
        except (ProcessLookupError, FileNotFoundError):  # it just ended
            return
        changed, present = before.compare(after)
        self.script.frames(Frames(process.handle, before.child, present, changed))
        process.window = after

    def leave(self, process: Traced, executes: bool) -> None:
        """Record that a process leaves its memory, once."""
        if not process.left:
            record = self.script.exec if executes else self.script.exit
            record(process.handle)
            process.left = True

    def settle(self) -> None:
        """Record who left since, as those did so before whatever is found next."""
        for process in self.processes.values():
            if process.leaving and not process.left and process.is_empty():
                self.leave(process, process.leaving is Kind.EXEC)
