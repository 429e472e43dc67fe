"""What happened in a recording: processes, child lives and what was written in them, references, and the rest."""

from __future__ import annotations

from collections import Counter as Count
from dataclasses import dataclass, field
from typing import Literal

from cowbench.recorded.working_set import WorkingSet
from cowbench.recording import Counter, Cut, End, Facts, Frames, Overhead

Ending = Literal["exit", "exec", "end of the recording"]


@dataclass
class Seen:
    """A process. parent: None for the first. born, ended: ms; ended is None if it outlived the recording."""

    handle: int
    parent: int | None
    born: float
    pid: int | None = None
    exe: str = ""
    ended: float | None = None
    page_writes: int = 0


@dataclass
class Life:
    """The time from a fork in which parent and child may share memory, ended by the exit or exec of either.

    shared: pages the child was given. by_parent, by_child: those of them that each wrote first after the fork, before
    it handed them back; only these writes can need a copy. freed: those that the child handed back unwritten. own: how
    many pages the child wrote where it had none.
    """

    parent: int
    child: int
    at: float
    shared: int
    until: float = 0.0
    ending: Ending = "end of the recording"
    by_parent: int = 0
    by_child: int = 0
    freed: int = 0
    own: int = 0

    @property
    def ms(self) -> float:
        """How long it was."""
        return self.until - self.at


@dataclass
class References:
    """All references of one kind. pages: in sum. most: pages held at once, at most. held_ms: of those released."""

    taken: int = 0
    pages: int = 0
    released: int = 0
    held_ms: float = 0.0
    most: int = 0
    device_writes: int = 0
    device_reads: int = 0


@dataclass
class Summary:
    """What happened in a recording of `ms` milliseconds.

    operations, pages: how many of each kind there were, and how many pages these named. largest: pages that processes
    had at once at most, each counted in each process. addresses: of chunks, in the order of their numbers. chunks: how
    many there are, as far as they were written to.
    """

    facts: Facts
    ms: float = 0.0
    end: End | Cut = field(default_factory=lambda: Cut(0))
    processes: list[Seen] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    references: dict[str, References] = field(default_factory=dict)
    operations: Count[str] = field(default_factory=Count)
    pages: Count[str] = field(default_factory=Count)
    largest: int = 0
    working_set: WorkingSet = field(default_factory=lambda: WorkingSet(1))
    frames: list[Frames] = field(default_factory=list)
    counters: list[Counter] = field(default_factory=list)
    missed: Count[str] = field(default_factory=Count)
    overhead: list[Overhead] = field(default_factory=list)
    addresses: list[int] = field(default_factory=list)
    chunks: int = 0

    @property
    def cut(self) -> str:
        """Where it was cut short, in words; empty if it is whole."""
        return self.end.words if isinstance(self.end, Cut) else ""

    @property
    def parents(self) -> list[int]:
        """Handles of processes that forked."""
        return sorted({life.parent for life in self.lives})
