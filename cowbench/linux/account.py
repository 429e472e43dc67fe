"""The outcomes of a program found from outside: from its operations and the frames seen, without a look at decisions.

The definitions are those of docs/truth.md. Observers of a frame are the processes that map it and the owners of live
references to it, both of which the program and an Observation tell; so copies, needless ones, leaks and lost
references can be counted on any kernel. What cannot: why a copy was made, write faults that reused, who was charged,
and all of it once a page was put out to swap, where the same frame may come back under another number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cowbench import operations as ops
from cowbench.machine import Pages, Process
from cowbench.observation import ABSENT, SWAPPED, ZERO_PAGE, Numbers, Observation, Step
from cowbench.operations import Operation

Mask = npt.NDArray[np.bool_]
SITES = ("write_fault", "fork", "pin")
"""Where copies can be seen; those of a swap-in cannot."""
NOTHING: Numbers = np.zeros(0, np.int64)


@dataclass
class Account:
    """What was seen to happen. copies, false_positives: by site. unseen: why nothing is counted ("" if all is)."""

    copies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITES, 0))
    false_positives: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SITES, 0))
    leaks: int = 0
    lost_pins: int = 0
    lost_gets: int = 0
    lost_pins_documented: int = 0
    missed_early_copies: int = 0
    forks: int = 0
    forks_ptes: int = 0
    unseen: str = ""


@dataclass
class _Held:
    """A live reference: pages and the frames they had when it was taken; leads: does the owner's page still lead there.

    kind: the field of Account that counts its losses on frames.
    """

    owner: Process
    pages: Numbers
    frames: Numbers
    leads: Mask
    kind: str
    documented: bool


def account(operations: Iterable[Operation], observation: Observation) -> Account:
    """Count what a program did, as seen."""
    watcher = _Watcher()
    for operation, step in zip(operations, observation.steps, strict=True):
        unseen = _hidden(operation, step)
        if unseen:
            return Account(unseen=unseen)
        watcher.see(operation, step)
    return watcher.seen


def _hidden(operation: Operation, step: Step) -> str:
    if step.failed:
        return f"{operation.op} failed: {step.failed}"
    if (step.frame == SWAPPED).any():
        return "pages were put out to swap"
    return "operations landed during fork" if isinstance(operation, ops.Fork) and operation.during else ""


class _Watcher:
    """Follows a program: where every page is, who holds what, and what that says about each step."""

    def __init__(self) -> None:
        self.seen = Account()
        self._places: dict[Process, Numbers] = {}
        self._spared: dict[Process, set[int]] = {}
        self._held: dict[int, _Held] = {}
        self._processes = self._references = 0

    def see(self, operation: Operation, step: Step) -> None:
        """Take in one operation and what was seen of it."""
        match operation:
            case ops.Spawn():
                self._born()
            case ops.Write(process=process, pages=pages):
                self._count_copies(process, step, "write_fault")
                self._apply(step)
                self._count_leaks(process, _numbers(pages))
            case ops.Pin(process=process) | ops.Get(process=process):
                self._count_copies(process, step, "pin")
                self._apply(step)
                self._take(operation)
            case ops.Fork(process=process):
                self._apply(step)
                self._count_fork(process, self._born())
            case ops.DeviceWrite(reference=reference):
                self._apply(step)
                held = self._held[reference]
                self.seen.leaks += int(np.count_nonzero(self._observed(held.owner, held.pages, held.frames)))
            case _:
                self._apply(step)
                self._end(operation)

    def _born(self) -> Process:
        process = Process(self._processes)
        self._places.setdefault(process, NOTHING)
        self._spared[process] = set()
        self._processes += 1
        return process

    def _apply(self, step: Step) -> None:
        for process in np.unique(step.process).tolist():
            mine = step.process == process
            self._set(Process(process), step.page[mine], step.frame[mine])

    def _set(self, process: Process, pages: Numbers, frames: Numbers) -> None:
        places = self._places.get(process, NOTHING)
        short = int(pages.max()) + 1 - len(places)
        if short > 0:
            places = np.concatenate((places, np.full(max(short, len(places)), ABSENT)))
        places[pages] = frames
        self._places[process] = places

    def _at(self, process: Process, pages: Numbers) -> Numbers:
        """Return where pages are; a page past the table is absent."""
        places = self._places[process]
        if not len(places):
            return np.full(len(pages), ABSENT)
        return np.where(pages < len(places), places.take(pages, mode="clip"), ABSENT)

    def _observed(self, process: Process, pages: Numbers, frames: Numbers) -> Mask:
        """Return which frames, at these pages, somebody besides `process` observes.

        A frame is mapped at one page number only, so whoever maps it does so at the same page.
        """
        others = np.zeros(len(frames), np.bool_)
        for other in self._places:
            if other != process:
                others |= self._at(other, pages) == frames
        for held in self._held.values():
            if held.owner != process:
                others |= np.isin(frames, held.frames)
        return others & (frames >= 0)

    def _count_copies(self, process: Process, step: Step, site: str) -> None:
        """Count the pages of `process` that went to another frame; called before the step is applied."""
        mine = step.process == process
        pages, after = step.page[mine], step.frame[mine]
        before = self._at(process, pages)
        copied = (before >= 0) & (after >= 0)
        self.seen.copies[site] += int(np.count_nonzero(copied))
        needed = self._observed(process, pages[copied], before[copied])
        self.seen.false_positives[site] += int(np.count_nonzero(~needed))
        self._lose(process, pages[(before == ZERO_PAGE) | copied])

    def _lose(self, process: Process, pages: Numbers) -> None:
        """Count the coherent references of `process` that its `pages` no longer lead to."""
        for held, gone in self._leading(process, pages):
            documented = gone & (held.frames == ZERO_PAGE) if held.documented else np.zeros(len(gone), np.bool_)
            lost = int(np.count_nonzero(gone & ~documented))
            setattr(self.seen, held.kind, getattr(self.seen, held.kind) + lost)
            self.seen.lost_pins_documented += int(np.count_nonzero(documented))
            held.leads &= ~gone

    def _leading(self, process: Process, pages: Numbers) -> Iterator[tuple[_Held, Mask]]:
        """Yield the references of `process` that some of its `pages` lead to, and which of their elements those are."""
        if not len(pages):
            return
        named = np.zeros(int(pages.max()) + 1, np.bool_)
        named[pages] = True
        for held in self._held.values():
            if held.owner == process and held.leads.any():
                here = held.leads & (held.pages < len(named)) & named.take(held.pages, mode="clip")
                if here.any():
                    yield held, here

    def _count_leaks(self, process: Process, pages: Numbers) -> None:
        frames = self._at(process, pages)
        self.seen.leaks += int(np.count_nonzero(self._observed(process, pages, frames)))

    def _take(self, operation: ops.Pin | ops.Get) -> None:
        pages = _numbers(operation.pages)
        pin = isinstance(operation, ops.Pin)
        coherent = True if isinstance(operation, ops.Pin) else operation.coherent
        documented = isinstance(operation, ops.Pin) and not operation.write and not operation.longterm
        frames, leads = self._at(operation.process, pages), np.full(len(pages), coherent)
        kind = "lost_pins" if pin else "lost_gets"
        self._held[self._references] = _Held(operation.process, pages, frames, leads, kind, documented)
        self._references += 1

    def _count_fork(self, parent: Process, child: Process) -> None:
        there = np.flatnonzero(self._at(parent, np.arange(len(self._places[parent]))) != ABSENT)
        mine, theirs = self._at(parent, there), self._at(child, there)
        led = np.zeros(len(self._places[parent]), np.bool_)
        for held, here in self._leading(parent, there):
            led[held.pages[here]] = True
        copied = (mine >= 0) & (theirs >= 0) & (mine != theirs)
        self.seen.copies["fork"] += int(np.count_nonzero(copied))
        self.seen.false_positives["fork"] += int(np.count_nonzero(copied & ~led[there]))
        self.seen.missed_early_copies += int(np.count_nonzero((mine >= 0) & (mine == theirs) & led[there]))
        self.seen.forks += 1
        self.seen.forks_ptes += len(there) - sum(page in self._spared[parent] for page in there.tolist())

    def _end(self, operation: Operation) -> None:
        """Take in what ends mappings, marks and references by their owner's own doing."""
        match operation:
            case ops.Discard(process=process, pages=pages):
                for held, here in self._leading(process, _numbers(pages)):
                    held.leads &= ~here
            case ops.Dontfork(process=process, pages=pages):
                self._spared[process] |= set(_numbers(pages).tolist())
            case ops.Exec(process=process) | ops.Exit(process=process):
                for held in self._held.values():
                    held.leads &= held.owner != process
                self._spared[process] = set()
                self._places[process] = NOTHING
                if isinstance(operation, ops.Exit):
                    del self._places[process]
            case ops.Release(reference=reference):
                del self._held[reference]


def _numbers(pages: Pages) -> Numbers:
    if isinstance(pages, range):
        return np.arange(pages.start, pages.stop, dtype=np.int64)
    return np.asarray(pages, np.int64)
