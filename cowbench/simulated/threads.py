"""Other threads of a forking process: what lands while fork walks, what has to wait, and whether the child is torn."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cowbench.machine import During
from cowbench.simulated.faults import as_array, first_occurrences
from cowbench.simulated.frames import IntArray
from cowbench.simulated.memory import Memory
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import NUMBER, PRESENT, WRITE


@dataclass
class Thread:
    """One During entry. number: its operation number. handle: of its reference, if it takes one.

    landed: elements of a write that landed during the walk. waits: something of it is left for after fork.
    finished: elements of a write that were done then.
    """

    entry: During
    number: int
    handle: int | None
    pages: IntArray
    landed: int = 0
    waits: bool = True
    finished: int = 0


@dataclass
class Landing:
    """All interleaved operations of one fork. blocked: a write waits, so every later write waits too."""

    threads: list[Thread]
    blocked: bool = False
    written: list[Thread] = field(default_factory=list)

    def write(self, memory: Memory, parent: ProcessState, thread: Thread) -> None:
        """Store at once into the pages that are writable, up to the first that would fault."""
        pages = thread.pages
        count = 0
        if not self.blocked:
            stuck = np.flatnonzero(parent.words[pages] < WRITE)
            count = int(stuck[0]) if len(stuck) else len(pages)
            memory.frames.token[parent.words[pages[:count]] & NUMBER] = thread.number
            if parent.marks is not None:
                parent.marks[pages[:count]] = 0
            self.written.append(thread)
        thread.landed = count
        thread.waits = count < len(pages)
        self.blocked |= thread.waits

    def torn(self, memory: Memory, child: ProcessState) -> bool:
        """Return whether what the child has equals the parent at no instant between the landings."""
        seen_after, gone_before = 0, sum(t.landed for t in self.written) + 1
        start = 1
        for thread in self.written:
            pages = as_array(first_occurrences(thread.pages[: thread.landed])[0])
            times = start + _first_times(thread.pages[: thread.landed])
            start += thread.landed
            words = child.words[pages]
            there = (words & PRESENT) != 0
            tokens = memory.frames.token[words & NUMBER]
            seen, missed = times[there & (tokens == thread.number)], times[there & (tokens < thread.number)]
            seen_after = max(seen_after, int(seen.max(initial=0)))
            gone_before = min(gone_before, int(missed.min(initial=gone_before)))
        return seen_after >= gone_before


def _first_times(pages: IntArray) -> IntArray:
    where = first_occurrences(pages)[1]
    return np.arange(len(pages)) if where is None else where
