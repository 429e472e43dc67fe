"""A recording held against itself: what a policy does to its pages, and what the kernel did to them meanwhile.

The recorder looks at the frame numbers of a process when that forks or is forked, and again later: at each note
`Frames`, which begins the next stretch. The same is done here on the model: the same pages, counted by the same rule,
at the same two places of the program.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cowbench.errors import ProgramError
from cowbench.ledger import Event
from cowbench.machine import Process
from cowbench.observation import ABSENT, Numbers
from cowbench.operations import Discard, Exec, Exit, Fork, Operation
from cowbench.policy import Policy
from cowbench.program_file import read_header
from cowbench.recording import Frames, Note, Program, read_lines
from cowbench.simulated import SimulatedMachine
from cowbench.simulated.seen import mappings, places


@dataclass(frozen=True)
class Held:
    """A stretch of one process, from one look at its frames to the next.

    process: its handle, and pid its number; child: handle of the process that it forked last, or its own if it was
    forked itself. present, changed: pages that the kernel showed at both ends, and of these those in another frame.
    predicted_present, predicted: the same on the model. copied: all that the model copied for the process meanwhile,
    also pages that were discarded before the second look.
    """

    process: int
    child: int
    pid: int
    present: int
    changed: int
    predicted_present: int
    predicted: int
    copied: int


@dataclass(frozen=True)
class Ended:
    """A forked process at its end on the model. pid: its number. copied: pages copied for it since its fork; own: pages
    that it alone mapped when it ended (what smaps calls Private).
    """

    process: int
    pid: int
    copied: int
    own: int


@dataclass(frozen=True)
class Comparison:
    """A recording held against the model: `held` in the order of looks, `ended` in the order of exits."""

    held: tuple[Held, ...]
    ended: tuple[Ended, ...]

    @property
    def changed(self) -> int:
        """Pages that changed their frame on the kernel, in all."""
        return sum(one.changed for one in self.held)

    @property
    def predicted(self) -> int:
        """Pages that changed their frame on the model, in all."""
        return sum(one.predicted for one in self.held)


def compare(file: Path, policy: Policy) -> Comparison:
    """Replay a recording under a policy and hold it against its notes.

    Raises ProgramError naming the file if it cannot be read, or has no notes of frames.
    """
    watch = _Watch(SimulatedMachine(policy, read_header(file)))
    watch.machine.memory.listener = watch.booked
    for line in read_lines(file):
        try:
            watch.take(line)
        except ProgramError as error:
            raise ProgramError(f"{file}: {error}") from None
    if not watch.held:
        raise ProgramError(f"{file}: has no notes of frame numbers; record a program that forks, as root")
    return Comparison(tuple(watch.held), tuple(watch.ended))


@dataclass
class _Look:
    """Frames of a process at a look, ABSENT where a page went since; and what was copied for it until then."""

    frames: Numbers
    copied: int


@dataclass
class _Watch:
    machine: SimulatedMachine
    held: list[Held] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    _looks: dict[int, _Look] = field(default_factory=dict)
    _born: dict[int, int] = field(default_factory=dict)
    """What had been copied for a forked process when it was: its own early copies are no faults of its own."""
    _copied: Counter[int] = field(default_factory=Counter)
    _pids: dict[int, int] = field(default_factory=dict)

    def booked(self, event: Event) -> None:
        if event.kind == "copies":
            self._copied[event.process] += len(event.pages)

    def take(self, line: Operation | Note) -> None:
        if isinstance(line, Frames):
            self.held.append(self._compared(line))
        elif isinstance(line, Program):
            self._pids[line.process] = line.pid
        elif isinstance(line, Operation):
            if isinstance(line, Exec | Exit):
                self._end(line.process)
            line.apply(self.machine)
            if isinstance(line, Fork):
                self._fork(line.process)
            elif isinstance(line, Discard):
                self._discard(line)

    def _fork(self, parent: Process) -> None:
        child = Process(len(self.machine.processes) - 1)
        frames = places(self.machine, parent)  # the child's were the same, unless it was given new ones at once
        self._born[child] = self._copied[child]
        for process in (parent, child):
            self._looks[process] = _Look(frames.copy(), self._copied[process])

    def _discard(self, operation: Discard) -> None:
        look, pages = self._looks.get(operation.process), np.asarray(operation.pages)
        if look is not None:
            look.frames[pages[pages < len(look.frames)]] = ABSENT

    def _end(self, process: Process) -> None:
        """Keep what is known of a forked process when it ends; the look at it is of no more use."""
        if process in self._born:
            now = places(self.machine, process)
            own = int((mappings(self.machine, now[now >= 0]) == 1).sum())
            copied = self._copied[process] - self._born.pop(process)
            self.ended.append(Ended(process, self._pids.get(process, 0), copied, own))
        self._looks.pop(process, None)

    def _compared(self, note: Frames) -> Held:
        look = self._looks.get(note.process)
        if look is None:
            raise ProgramError(f"a note of frames tells of process {note.process}, which neither forked nor was forked")
        now, copied = places(self.machine, Process(note.process)), self._copied[note.process]
        self._looks[note.process] = _Look(now, copied)
        size = min(len(now), len(look.frames))
        then, now = look.frames[:size], now[:size]
        both = (now >= 0) & (then >= 0)
        return Held(
            process=note.process,
            child=note.child,
            pid=self._pids.get(note.process, 0),
            present=note.present,
            changed=note.changed,
            predicted_present=int(both.sum()),
            predicted=int((now != then)[both].sum()),
            copied=copied - look.copied,
        )
