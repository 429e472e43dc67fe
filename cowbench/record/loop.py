"""The recorder: one thread that waits for the program, the kernel and the clock."""

from __future__ import annotations

import signal
import subprocess
import time
from types import FrameType

from cowbench.record.looks import Costs
from cowbench.record.messages import Mailbox
from cowbench.record.script import Script
from cowbench.record.tree import Tree
from cowbench.record.watch import Watch
from cowbench.recording import Way

LATE = "looks that came late by an interval or more, as earlier ones took long"


class Loop:
    """Records until all processes ended, `seconds` are over or a signal says so. interval: s between two looks."""

    def __init__(self, mailbox: Mailbox, script: Script, interval: float, seconds: float | None, way: Way) -> None:
        self._mailbox, self._script, self._interval = mailbox, script, interval
        self.way: Way = way
        self._watch = Watch()
        self._tree = Tree(script, self._watch, way)
        self._start = time.monotonic()
        self._stop = None if seconds is None else self._start + seconds
        self._asked = False

    @property
    def costs(self) -> Costs:
        """What it took."""
        return self._tree.costs

    def ask_to_end(self, *_: int | FrameType | None) -> None:
        """End soon: a signal handler."""
        self._asked = True

    def run(self, program: subprocess.Popen[bytes]) -> str:
        """Record; return why it ended. Raises ProgramError when the file cannot be written."""
        self._watch.add(self._mailbox.fileno(), self._messages)
        due = time.monotonic() + self._interval
        while not (why := self._over(program)):
            for call in self._watch.wait(due - time.monotonic()):
                self._messages()
                self._clock()
                call()
            if time.monotonic() >= due:
                due = self._tick(due)
        self._messages()
        self._clock()
        self._tree.close()
        return why

    def close(self) -> None:
        """Let everything go."""
        self._mailbox.close()
        self._watch.close()

    def _over(self, program: subprocess.Popen[bytes]) -> str:
        if program.poll() is not None and not self._tree:
            return "all processes ended"
        if self._asked:
            return "it was asked to"
        if self._stop is not None and time.monotonic() >= self._stop:
            return "its time was over"
        return ""

    def _messages(self) -> None:
        """Take in what processes say before what the kernel says: it was said first."""
        while message := self._mailbox.next():
            self._clock()
            self._tree.hear(message)

    def _tick(self, due: float) -> float:
        """Look at all; return when to do so again: not before a pause as long as the look, so that programs can run."""
        begun = time.monotonic()
        if begun - due > self._interval:
            self._script.missed[LATE] += 1
        self._messages()
        self._clock()
        self._tree.look()
        self._script.flush()
        ended = time.monotonic()
        return max(due + self._interval, ended + (ended - begun))

    def _clock(self) -> None:
        self._script.now((time.monotonic() - self._start) * 1000)


def on_signals(loop: Loop) -> None:
    """End the recording, not the program, at Ctrl-C or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, loop.ask_to_end)
