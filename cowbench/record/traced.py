"""A process that is recorded, through the descriptors that lead to it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from cowbench.machine import Process
from cowbench.record import pagemap, tracker
from cowbench.record.maps import Mapping, mappings
from cowbench.record.messages import Kind
from cowbench.record.pagemap import PAGE, TOP, Numbers, Untracked
from cowbench.record.window import Window

_REFRESH = 50
"""Looks after which mappings are read again in any case: one may have taken the place of one that is not tracked."""


def _none() -> Numbers:
    return np.zeros(0, np.int64)


@dataclass
class Traced:
    """A process. forking: number of its fork that is under way, or 0.

    window: its frames since its last fork or birth by one, None before any. doubtful: pages that may look written
    although only the parent wrote them, just before the fork. leaving: it said that it
    executes another program or ends. left: that is recorded. lost: looks that found no memory. waited: ns for the
    recorder. life: its pidfd.
    memory: its pagemap. untracked: mappings that are left out.
    announced: ranges that it said it unmaps. freed: starts of what it freed lazily. spared: ranges children do not
    get, with how many pages of them that was said of.
    sealed: ranges that it made read-only.
    """

    pid: int
    handle: Process
    tracker: int
    parent: int = 0
    forking: int = 0
    window: Window | None = None
    doubtful: Numbers = field(default_factory=_none)
    leaving: Kind | None = None
    left: bool = False
    lost: int = 0
    waited: int = 0
    memory: int = -1
    life: int = -1
    untracked: set[Mapping] = field(default_factory=set)
    announced: set[tuple[int, int]] = field(default_factory=set)
    freed: set[int] = field(default_factory=set)
    spared: dict[tuple[int, int], int] = field(default_factory=dict)
    sealed: list[tuple[int, int]] = field(default_factory=list)
    _ranges: list[tuple[int, int]] = field(default_factory=list)
    _looks: int = 0

    def __post_init__(self) -> None:
        """Raise OSError if the process is gone."""
        self.memory = os.open(f"/proc/{self.pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        self.life = os.pidfd_open(self.pid)

    def is_empty(self) -> bool:
        """Tell whether the memory is gone."""
        return not os.pread(self.memory, 8, 8)

    def written(self) -> Numbers:
        """Return the pages written since the last look. Raises OSError if the process is gone."""
        if self._looks % _REFRESH == 0:
            self._track()
        self._looks += 1
        pages, frames = pagemap.anonymous(self.memory, self._touched(0, TOP))
        return self._sorted_out(pages, frames) if len(self.doubtful) else pages

    def written_between(self, start: int, stop: int) -> Numbers:
        """Return the pages written between two addresses since the last look. Raises OSError if the process is gone."""
        found = self._touched(start // PAGE * PAGE, -(-stop // PAGE) * PAGE)
        return pagemap.anonymous(self.memory, found)[0]

    def _touched(self, start: int, stop: int) -> Numbers:
        """Scan what is tracked between two addresses; when something is not yet, track it and scan again."""
        found: list[Numbers] = []
        while True:
            spans = [(max(start, first), min(stop, last)) for first, last in self._ranges]
            try:
                found += [pagemap.touched(self.memory, *span) for span in spans if span[0] < span[1]]
            except Untracked as more:
                found.append(more.found)
                self._track()
            else:
                return np.unique(np.concatenate(found)) if found else _none()

    def _track(self) -> None:
        """Track all private mappings; scans shall span all addresses but the mappings that cannot be tracked."""
        left_out = [one for one in mappings(self.pid) if one.start < TOP and not self._tracks(one)]
        self.untracked.update(left_out)
        starts = [0, *(one.stop for one in left_out)]
        stops = [*(one.start for one in left_out), TOP]
        self._ranges = [(start, stop) for start, stop in zip(starts, stops, strict=True) if start < stop]

    def _tracks(self, one: Mapping) -> bool:
        return one.private and not one.huge and tracker.register(self.tracker, one.start, one.stop)

    def _sorted_out(self, pages: Numbers, frames: Numbers) -> Numbers:
        """Drop the doubtful pages that still have the frame they had when the process was forked."""
        assert self.window is not None
        doubtful, self.doubtful = self.doubtful, _none()
        unwritten = np.isin(pages, doubtful) & (frames == self.window.at(pages))
        return pages[~unwritten]

    def close(self) -> None:
        """Close the descriptors; the process is no longer tracked."""
        os.close(self.life)
        os.close(self.memory)
        os.close(self.tracker)


def pages_of(found: set[Mapping]) -> int:
    """Return the size of mappings in pages."""
    return sum(one.stop - one.start for one in found) // PAGE
