"""The recorded processes, and what becomes of them by what they and the kernel say."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cowbench.machine import Process
from cowbench.record import tracker
from cowbench.record.compared import Compared
from cowbench.record.effects import Effects
from cowbench.record.looks import Costs, Looks
from cowbench.record.messages import Kind, Message
from cowbench.record.pagemap import Numbers
from cowbench.record.protected import Protected
from cowbench.record.script import Script
from cowbench.record.traced import Traced, pages_of
from cowbench.record.tracker import Forked, Moved, Removed, Unmapped
from cowbench.record.watch import Watch
from cowbench.record.window import Window
from cowbench.recording import Way

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


class Tree:
    """All processes that are recorded. Descriptors of theirs are added to `watch`."""

    def __init__(self, script: Script, watch: Watch, way: Way) -> None:
        self.script = script
        self._watch = watch
        self._way: Way = way
        self._looks = Looks(script)
        self._effects = Effects(script, self._looks.between)
        self._processes = self._looks.processes
        self._unborn: list[Unborn] = []

    def __bool__(self) -> bool:
        return bool(self._processes or self._unborn)

    @property
    def costs(self) -> Costs:
        """What it took."""
        return self._looks.costs

    def hear(self, message: Message) -> None:
        """Take in a message, and let its sender go on."""
        process = self._processes.get(message.sender)
        with suppress(ProcessLookupError, FileNotFoundError):  # it was killed; its pidfd says so next
            self._hear(message, process)
        message.answer()

    def _hear(self, message: Message, process: Traced | None) -> None:
        if process:
            process.waited = message.waited
        match message.kind:
            case Kind.HELLO:
                self._begin(message, process)
            case Kind.CHILD:
                self._born(message)
            case Kind.FORKING if process:
                self._looks.at(process)
                process.forking = message.number
                if self._way != "userfaultfd":
                    self._looks.at_fork(process)
            case Kind.EXEC | Kind.EXIT if process:
                self._looks.last(process)
                process.leaving = message.kind
            case _ if process:
                self._effects.hear(process, message)

    def look(self) -> None:
        """Look at all processes: an interval is over."""
        self._effects.settle()
        for process in list(self._processes.values()):
            self._looks.at(process)
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
            self._looks.last(process)
        for process in list(self._processes.values()):
            self._count(process)
            process.close()
        for child in self._unborn:
            os.close(child.tracker)

    def _begin(self, message: Message, before: Traced | None) -> None:
        """A new image runs: of a process that is known, or of one whose parent did not copy its memory for it."""
        if message.tracker < 0 and self._way == "userfaultfd":
            self.script.missed[UNTRACKED] += 1
            return
        if before is None:
            handle, parent = self.script.spawn(), 0
        else:
            handle, parent = before.handle, before.parent
            self._looks.leave(before, executes=True)
            self._drop(before)
        process = self._traced(message, handle, parent)
        self._add(process)
        self._looks.at(process)

    def _traced(self, message: Message, handle: Process, parent: int) -> Traced:
        if self._way == "userfaultfd":
            tracker.begin(message.tracker)
            self._watch.add(message.tracker, partial(self.event, message.tracker))
            return Protected(message.sender, handle, parent, tracker=message.tracker)
        if message.tracker >= 0:
            os.close(message.tracker)
        return Compared(message.sender, handle, parent, marked=self._way == "soft-dirty")

    def _add(self, process: Traced) -> None:
        self._processes[process.pid] = process
        self._watch.add(process.life, partial(self._ended, process))
        self.script.image(process.handle, process.pid)

    def _drop(self, process: Traced) -> None:
        del self._processes[process.pid]
        self._watch.remove(process.life)
        if isinstance(process, Protected):
            self._watch.remove(process.tracker)
        self._effects.ended(process)
        self._count(process)
        process.close()

    def _count(self, process: Traced) -> None:
        self.costs.waited += process.waited / 1e9
        if process.untracked:
            self.script.missed[SHARED] += pages_of(process.untracked)

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
                self._looks.at(parent)
        self._end(process)

    def _end(self, process: Traced) -> None:
        if not process.left or process.leaving is Kind.EXEC:  # it may have executed a program that said nothing
            self.script.exit(process.handle)
        self._drop(process)

    def event(self, descriptor: int) -> None:
        """Take in what the kernel says next by a tracker; the process goes on when that is read."""
        process = self._owner(descriptor)
        if process is None:
            return
        start = time.monotonic()
        with suppress(ProcessLookupError, FileNotFoundError):  # it was killed; its pidfd says so next
            self._event(process)
        self.costs.waited += time.monotonic() - start

    def _event(self, process: Protected) -> None:
        late = self._looks.at(process)
        self._looks.at_kin(process)
        now = self._looks.at_fork(process) if process.forking else None
        event = tracker.next_event(process.tracker)
        match event:
            case Forked(tracker=child):
                self._forked(process, child, now or self._looks.at_fork(process), late)
            case Removed(start, stop):
                self._effects.discarded(process, start, stop)
            case Unmapped(start, stop):
                self._effects.unmapped(process, start, stop)
            case Moved():
                self._effects.moved(process, event)

    def _owner(self, descriptor: int) -> Protected | None:
        """Return the process of a tracker; a child that did not say its pid is looked for."""
        for child in list(self._unborn):
            if child.tracker == descriptor:
                self._find(child)
        for process in self._processes.values():
            if isinstance(process, Protected) and process.tracker == descriptor:
                return process
        return None

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
        parent = self._processes.get(message.a)
        if isinstance(parent, Compared):
            self._compared_child(parent, message.sender)
        for child in self._unborn:
            if (child.parent, child.number) == (message.a, message.number):
                self._name(child, message.sender)
                return

    def _compared_child(self, parent: Compared, pid: int) -> None:
        """A child begins as its parent was when that said that it would fork."""
        assert parent.window is not None
        self._effects.forks(parent)
        handle = self.script.fork(parent.handle)
        parent.window.child = handle
        now = parent.window.copy()
        child = Compared(pid, handle, parent.pid, window=now, marked=parent.marked, before=now.pages, frames=now.frames)
        self._add(child)

    def _find(self, child: Unborn) -> None:
        """Look for a child that did not say its pid, as a child of C's fork() does."""
        unknown = [pid for pid in _children(child.parent) if pid not in self._processes]
        if unknown and not child.number:
            self._name(child, unknown[0])

    def _name(self, child: Unborn, pid: int) -> None:
        try:
            process = Protected(
                pid, child.handle, child.parent, window=child.window, tracker=child.tracker, doubtful=child.doubtful
            )
        except (ProcessLookupError, FileNotFoundError):
            self._give_up(child)
            return
        self._unborn.remove(child)
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
