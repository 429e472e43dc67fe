"""The recorded processes, and what becomes of them by what they and the kernel say."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cowbench.machine import Process
from cowbench.record import tracker
from cowbench.record.effects import Effects
from cowbench.record.messages import Kind, Message
from cowbench.record.pagemap import Numbers
from cowbench.record.script import Script
from cowbench.record.traced import Traced, pages_of
from cowbench.record.tracker import Forked, Moved, Removed, Unmapped
from cowbench.record.watch import Watch
from cowbench.record.window import Window
from cowbench.recording import Frames

KILLED = "last intervals of processes that were killed"
UNTRACKED = "programs without the preloaded library (static or privileged)"
SHARED = "pages of shared mappings, which are never copied on write"
NAMELESS = "children that were gone before they could be found"
_PATIENCE = 100
"""Intervals after which a child that nobody found counts as gone, and a program that says nothing as not loading us."""


@dataclass
class Unborn:
    """A child that the kernel announced and that has not said its pid. number: which fork of its parent it is."""

    tracker: int
    parent: int
    handle: Process
    number: int
    window: Window
    doubtful: Numbers
    looks: int = 0


@dataclass
class Costs:
    """What recording takes: s that processes waited and that looks took, pages that were protected and then written."""

    waited: float = 0.0
    scanned: float = 0.0
    faults: int = 0


class Tree:
    """All processes that are recorded. Descriptors of theirs are added to `watch`."""

    def __init__(self, script: Script, watch: Watch) -> None:
        self.script = script
        self.costs = Costs()
        self._watch = watch
        self._effects = Effects(script, self._look_between)
        self._processes: dict[int, Traced] = {}
        self._unborn: list[Unborn] = []

    def __bool__(self) -> bool:
        return bool(self._processes or self._unborn)

    def hear(self, message: Message) -> None:
        """Take in a message, and let its sender go on."""
        process = self._processes.get(message.sender)
        if process:
            process.waited = message.waited
        match message.kind:
            case Kind.HELLO:
                self._begin(message, process)
            case Kind.CHILD:
                self._born(message)
            case Kind.FORKING if process:
                self._look(process)
                process.forking = message.number
            case Kind.EXEC | Kind.EXIT if process:
                self._last_look(process)
                process.leaving = message.kind
            case _ if process:
                self._effects.hear(process, message)
        message.answer()

    def look(self) -> None:
        """Look at all processes: an interval is over."""
        self._effects.settle()
        for process in list(self._processes.values()):
            self._look(process)
            if process.lost > _PATIENCE:
                self._lose(process)
        for child in list(self._unborn):
            self._find(child)
            child.looks += 1
            if child.looks > _PATIENCE and child in self._unborn:
                self._give_up(child)

    def close(self) -> None:
        """Look a last time, compare frames, and let all go on untracked."""
        for process in list(self._processes.values()):
            self._last_look(process)
        for process in self._processes.values():
            process.close()
        for child in self._unborn:
            os.close(child.tracker)

    @contextmanager
    def _holding(self) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.costs.waited += time.monotonic() - start

    def _begin(self, message: Message, before: Traced | None) -> None:
        """A new image runs: of a process that is known, or of one whose parent did not copy its memory for it."""
        if message.tracker < 0:
            self.script.missed[UNTRACKED] += 1
            return
        tracker.begin(message.tracker)
        if before is None:
            handle, parent = self.script.spawn(), 0
        else:
            handle, parent = before.handle, before.parent
            self._leave(before, executes=True)
            self._drop(before)
        process = Traced(message.sender, handle, message.tracker, parent)
        self._add(process)
        self._watch.add(process.tracker, partial(self.event, process.tracker))
        self._look(process)

    def _add(self, process: Traced) -> None:
        self._processes[process.pid] = process
        self._watch.add(process.life, partial(self._ended, process))
        self.script.image(process.handle, process.pid)

    def _drop(self, process: Traced) -> None:
        del self._processes[process.pid]
        self._watch.remove(process.tracker)
        self._watch.remove(process.life)
        self._effects.ended(process)
        self.costs.waited += process.waited / 1e9
        self.script.missed.update({SHARED: pages_of(process.untracked)} if process.untracked else {})
        process.close()

    def _lose(self, process: Traced) -> None:
        """A process lives, but not in the memory that was tracked, and its new program said nothing."""
        self.script.missed[UNTRACKED] += 1
        self._end(process)

    def _ended(self, process: Traced) -> None:
        """A process is gone, and its memory with it."""
        parent = self._processes.get(process.parent)
        if not process.leaving:
            self.script.missed[KILLED] += 1
            if parent:
                self._look(parent)
        self._end(process)

    def _end(self, process: Traced) -> None:
        if not process.left or process.leaving is Kind.EXEC:  # it may have executed a program that said nothing
            self.script.exit(process.handle)
        self._drop(process)

    def _leave(self, process: Traced, executes: bool) -> None:
        """Record that a process leaves its memory, once."""
        if not process.left:
            record = self.script.exec if executes else self.script.exit
            record(process.handle)
            process.left = True

    def _settle(self) -> None:
        """Record who left since, as those did so before whatever is found next."""
        for process in self._processes.values():
            if process.leaving and not process.left and process.is_empty():
                self._leave(process, process.leaving is Kind.EXEC)

    def _look(self, process: Traced) -> Numbers:
        """Record what a process wrote since the last look, and return it."""
        self._settle()
        start = time.monotonic()
        try:
            found = process.written()
        except OSError:
            if not process.is_empty():
                raise
            # It ends, or executes another program.
            process.lost += 1
            return np.zeros(0, np.int64)
        self.costs.scanned += time.monotonic() - start
        self.costs.faults += len(found)
        self.script.write(process.handle, found)
        return found

    def _look_between(self, process: Traced, start: int, stop: int, record: bool) -> None:
        """Record what a process wrote between two addresses, or forget it."""
        found = process.written_between(start, stop)
        if record:
            self.script.write(process.handle, found)

    def _last_look(self, process: Traced) -> None:
        """Look at a process that is about to end, and at its kin; compare its frames and its parent's."""
        self._look(process)
        self._look_at_kin(process)
        for one in (self._processes.get(process.parent), process):
            if one and one.window:
                self._compare(one, one.window)

    def _look_at_kin(self, process: Traced) -> None:
        """Look at those that may share pages with a process, as what it does next changes what their writes cost."""
        for one in list(self._processes.values()):
            if one.pid == process.parent or one.parent == process.pid:
                self._look(one)

    def _compare(self, process: Traced, before: Window) -> None:
        """Note how many frames changed since `before`; begin another window."""
        try:
            after = Window.open(process.memory, before.child)
        except ProcessLookupError:  # it just ended
            return
        changed, present = before.compare(after)
        self.script.frames(Frames(process.handle, before.child, present, changed))
        process.window = after

    def event(self, descriptor: int) -> None:
        """Take in what the kernel says next by a tracker; the process goes on when that is read."""
        process = self._owner(descriptor)
        if process is None:
            return
        with self._holding():
            late = self._look(process)
            self._look_at_kin(process)
            now = self._at_fork(process) if process.forking else None
            event = tracker.next_event(descriptor)
            match event:
                case Forked(tracker=child):
                    self._forked(process, child, now or self._at_fork(process), late)
                case Removed(start, stop):
                    self._effects.discarded(process, start, stop)
                case Unmapped(start, stop):
                    self._effects.unmapped(process, start, stop)
                case Moved():
                    self._effects.moved(process, event)

    def _owner(self, descriptor: int) -> Traced | None:
        """Return the process of a tracker; a child that did not say its pid is looked for."""
        for child in list(self._unborn):
            if child.tracker == descriptor:
                self._find(child)
        return next((process for process in self._processes.values() if process.tracker == descriptor), None)

    def _at_fork(self, process: Traced) -> Window:
        if process.window:
            self._compare(process, process.window)
        else:
            process.window = Window.open(process.memory, process.handle)
        assert process.window is not None
        return process.window

    def _forked(self, parent: Traced, descriptor: int, now: Window, late: Numbers) -> None:
        """A child exists and may run. late: pages its parent wrote since it said that it would fork."""
        self._effects.forks(parent)
        handle = self.script.fork(parent.handle)
        now.child = handle
        self._unborn.append(Unborn(descriptor, parent.pid, handle, parent.forking, now.copy(), late))
        parent.forking = 0
        self._watch.add(descriptor, partial(self.event, descriptor))

    def _born(self, message: Message) -> None:
        """A child says its pid, which fork it is, and whose."""
        for child in self._unborn:
            if (child.parent, child.number) == (message.a, message.number):
                self._name(child, message.sender)
                return

    def _find(self, child: Unborn) -> None:
        """Look for a child that did not say its pid, as a child of C's fork() does."""
        unknown = [pid for pid in _children(child.parent) if pid not in self._processes]
        if unknown and not child.number:
            self._name(child, unknown[0])

    def _name(self, child: Unborn, pid: int) -> None:
        self._unborn.remove(child)
        process = Traced(pid, child.handle, child.tracker, child.parent, window=child.window, doubtful=child.doubtful)
        self._add(process)

    def _give_up(self, child: Unborn) -> None:
        self._unborn.remove(child)
        self._watch.remove(child.tracker)
        os.close(child.tracker)
        self.script.missed[NAMELESS] += 1
        self.script.exit(child.handle)


def _children(parent: int) -> list[int]:
    """Return the pids of the children of a process; none if it is gone."""
    found: list[int] = []
    for file in Path(f"/proc/{parent}/task").glob("*/children"):
        found += map(int, file.read_text().split())
    return found
