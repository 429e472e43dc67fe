"""A process that is recorded, through the descriptors that lead to it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from cowbench.machine import Process
from cowbench.record import pagemap, tracker
from cowbench.record.maps import private_ranges
from cowbench.record.messages import Kind
from cowbench.record.pagemap import Numbers
from cowbench.record.window import Window


def _none() -> Numbers:
    return np.zeros(0, np.int64)


@dataclass
class Traced:
    """A process. forking: number of its fork that is under way, or 0.

    window: its frames since its last fork or birth by one, None before any. doubtful: pages that may look written
    although only the parent wrote them, just before the fork. leaving: it said that it
    executes another program or ends. left: that is recorded. lost: looks that found no memory. life: its pidfd.
    memory: its pagemap.
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
    memory: int = -1
    life: int = -1

    def __post_init__(self) -> None:
        """Raise OSError if the process is gone."""
        self.memory = os.open(f"/proc/{self.pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        self.life = os.pidfd_open(self.pid)

    def is_empty(self) -> bool:
        """Tell whether the memory is gone."""
        return not os.pread(self.memory, 8, 8)

    def track(self) -> None:
        """Track all private mappings. Raises OSError if the process is gone."""
        for start, stop in private_ranges(self.pid):
            tracker.register(self.tracker, start, stop)

    def written(self) -> pagemap.Scan:
        """Return the pages written since the last look. Raises OSError if the process is gone."""
        if pagemap.is_anything_untracked(self.memory):
            self.track()
        found = pagemap.written(self.memory)
        return self._sorted_out(found) if len(self.doubtful) else found

    def _sorted_out(self, found: pagemap.Scan) -> pagemap.Scan:
        """Drop the doubtful pages that still have the frame they had when the process was forked."""
        assert self.window is not None
        pages, self.doubtful = self.doubtful, _none()
        unwritten = pages[pagemap.frames(self.memory, pages) == self.window.at(pages)]
        return pagemap.Scan(np.setdiff1d(found.pages, unwritten, assume_unique=True), found.huge)

    def close(self) -> None:
        """Close the descriptors; the process is no longer tracked."""
        os.close(self.life)
        os.close(self.memory)
        os.close(self.tracker)
