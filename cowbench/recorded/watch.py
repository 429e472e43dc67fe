"""Reads a recording and keeps what its summary says."""

from __future__ import annotations

from collections import Counter as Count
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from cowbench.errors import ProgramError
from cowbench.machine import Pages, Process
from cowbench.operations import (
    DeviceRead,
    DeviceWrite,
    Discard,
    Exec,
    Exit,
    Fork,
    Get,
    Operation,
    Pin,
    Release,
    Spawn,
    Write,
)
from cowbench.recorded.summary import Ending, Life, References, Seen, Summary
from cowbench.recorded.working_set import WorkingSet
from cowbench.recording import (
    CHUNK,
    Addresses,
    Counter,
    Cut,
    End,
    Facts,
    Frames,
    Missed,
    Note,
    Overhead,
    Program,
    Time,
    read_facts,
    read_lines,
)

Mask = npt.NDArray[np.bool_]


class Listener(Protocol):
    """Is told of each life, by its number, while a recording is read."""

    def time(self, ms: float) -> None:
        """The operations that follow happened up to `ms`."""

    def forked(self, life: int, shared: Mask) -> None:
        """A life began, in which these pages are shared."""

    def wrote(self, life: int, pages: npt.NDArray[np.intp]) -> None:
        """The parent wrote these shared pages for the first time."""


def summarize(path: Path, listener: Listener | None = None) -> Summary:
    """Read a recording once, in memory that does not grow with its length. Raises ProgramError."""
    watch = _Watch(read_facts(path), listener)
    for line in read_lines(path):
        try:
            watch.see(line)
        except (IndexError, KeyError):
            raise ProgramError(f"{path}: {say(line)} names a process or reference that is not there") from None
    return watch.finished()


def say(line: Operation | Note) -> str:
    """Say which line it is, without its pages."""
    return line.op if isinstance(line, Operation) else f"note '{line.kind}'"


@dataclass
class _Open:
    """A life under way, with the shared pages that each side has neither written nor handed back."""

    number: int
    life: Life
    parent: Mask
    child: Mask


@dataclass(frozen=True)
class _Held:
    """A live reference, taken at `at` ms."""

    kind: str
    pages: int
    at: float


class _Watch:
    def __init__(self, facts: Facts, listener: Listener | None) -> None:
        self.listener = listener
        self.summary = Summary(facts, working_set=WorkingSet(facts.interval_ms))
        self.open: list[_Open] = []
        self.present: dict[int, Mask] = {}
        self.sizes: Count[int] = Count()
        self.held: dict[int, _Held] = {}
        self.holding: Count[str] = Count()
        self.taken = 0

    def see(self, line: Operation | Note) -> None:
        if isinstance(line, Note):
            self._note(line)
            return
        self.summary.operations[line.op] += 1
        pages = getattr(line, "pages", None)
        if pages is not None:
            self.summary.pages[line.op] += len(pages)
        self._operation(line)

    def finished(self) -> Summary:
        summary = self.summary
        for one in self.open:
            self._close(one, "end of the recording")
        summary.working_set.finish(summary.ms)
        return summary

    def _operation(self, line: Operation) -> None:
        match line:
            case Write():
                self._write(line.process, _unique(line.pages))
            case Discard():
                self._discard(line.process, _unique(line.pages))
            case Spawn():
                self._born(None, np.zeros(0, np.bool_))
            case Fork():
                self._fork(line.process)
            case Exec() | Exit():
                self._empty(line.process, line.op)  # type: ignore[arg-type]
                if isinstance(line, Exit):
                    self.summary.processes[line.process].ended = self.summary.ms
            case Pin() | Get():
                self._refer(line)
            case Release():
                self._release(line.reference)
            case DeviceRead() | DeviceWrite():
                held = self.held[line.reference]
                self.summary.pages[line.op] += held.pages
                by_kind = self.summary.references[held.kind]
                setattr(by_kind, f"{line.op}s", getattr(by_kind, f"{line.op}s") + 1)

    def _refer(self, line: Pin | Get) -> None:
        kind = line.op if isinstance(line, Get) else "long-term pin" if line.longterm else "short pin"
        by_kind = self.summary.references.setdefault(kind, References())
        by_kind.taken += 1
        by_kind.pages += len(line.pages)
        self.held[self.taken] = _Held(kind, len(line.pages), self.summary.ms)
        self.taken += 1
        self.holding[kind] += len(line.pages)
        by_kind.most = max(by_kind.most, self.holding[kind])

    def _release(self, reference: int) -> None:
        held = self.held.pop(reference)
        by_kind = self.summary.references[held.kind]
        by_kind.released += 1
        by_kind.held_ms += self.summary.ms - held.at
        self.holding[held.kind] -= held.pages

    def _write(self, process: Process, pages: npt.NDArray[np.intp]) -> None:
        summary = self.summary
        if len(pages):
            summary.chunks = max(summary.chunks, int(pages[-1]) // CHUNK + 1)
        summary.processes[process].page_writes += len(pages)
        summary.working_set.write(process, pages, summary.ms)
        present = self.present[process] = _reach(self.present[process], pages)
        new = len(pages) - int(np.count_nonzero(present[pages]))
        self.sizes[process] += new
        present[pages] = True
        summary.largest = max(summary.largest, self.sizes.total())
        for one in self.open:
            if one.life.parent == process:
                first = _take(one.parent, pages)
                one.life.by_parent += len(first)
                if self.listener is not None:
                    self.listener.wrote(one.number, first)
            elif one.life.child == process:
                one.life.by_child += len(_take(one.child, pages))
                one.life.own += new

    def _discard(self, process: Process, pages: npt.NDArray[np.intp]) -> None:
        self.sizes[process] -= len(_take(self.present[process], pages))
        for one in self.open:
            if one.life.parent == process:
                _take(one.parent, pages)
            elif one.life.child == process:
                one.life.freed += len(_take(one.child, pages))

    def _born(self, parent: int | None, present: Mask) -> int:
        handle = len(self.summary.processes)
        self.summary.processes.append(Seen(handle, parent, self.summary.ms))
        self.present[handle] = present
        self.sizes[handle] = int(np.count_nonzero(present))
        self.summary.largest = max(self.summary.largest, self.sizes.total())
        return handle

    def _fork(self, parent: Process) -> None:
        present = self.present[parent]
        child = self._born(parent, present.copy())
        life = Life(parent, child, self.summary.ms, int(np.count_nonzero(present)))
        self.open.append(_Open(len(self.summary.lives), life, present.copy(), present.copy()))
        self.summary.lives.append(life)
        if self.listener is not None:
            self.listener.forked(self.open[-1].number, present)

    def _empty(self, process: Process, ending: Literal["exit", "exec"]) -> None:
        """The process has no memory any more."""
        self.present[process] = np.zeros(0, np.bool_)
        self.sizes[process] = 0
        self.summary.working_set.forget(process, self.summary.ms)
        for one in [one for one in self.open if process in (one.life.parent, one.life.child)]:
            self._close(one, ending)
            self.open.remove(one)

    def _close(self, one: _Open, ending: Ending) -> None:
        one.life.until, one.life.ending = self.summary.ms, ending

    def _note(self, note: Note) -> None:
        summary = self.summary
        match note:
            case Time():
                summary.ms = note.ms
                if self.listener is not None:
                    self.listener.time(note.ms)
            case Program():
                summary.processes[note.process].pid, summary.processes[note.process].exe = note.pid, note.exe
            case Addresses():
                summary.addresses[note.chunk :] = note.at
            case Frames():
                summary.frames.append(note)
            case Counter():
                summary.counters.append(note)
            case Missed():
                summary.missed[note.what] += note.count
            case Overhead():
                summary.overhead.append(note)
            case End() | Cut():
                summary.ms, summary.end = note.ms, note


def _unique(pages: Pages) -> npt.NDArray[np.intp]:
    if isinstance(pages, range):
        return np.arange(pages.start, pages.stop)
    numbers = np.asarray(pages, np.intp)
    return numbers if bool((numbers[1:] > numbers[:-1]).all()) else np.unique(numbers)


def _reach(mask: Mask, pages: npt.NDArray[np.intp]) -> Mask:
    """Return a mask that covers `pages`; what is new is False."""
    stop = int(pages[-1]) + 1 if len(pages) else 0
    if stop <= len(mask):
        return mask
    return np.concatenate((mask, np.zeros(max(stop, 2 * len(mask)) - len(mask), np.bool_)))


def _take(mask: Mask, pages: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Take pages out of a mask; return those that were in it."""
    inside = pages[: np.searchsorted(pages, len(mask))]
    hit = inside[mask[inside]]
    mask[hit] = False
    return hit
