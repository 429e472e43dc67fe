"""The second measure: which pages of a process changed their frame since it last forked or was forked.

It knows nothing of writes, only of frames, and of what was discarded in between. Between two forks of a process a page
of it can be copied once at most, so the frames that changed are the copies of that process.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cowbench.machine import Process
from cowbench.record.pagemap import PAGE, Numbers


@dataclass
class Window:
    """Pages of a process and their frames at its start.

    child: the latest fork of the process by then, or the process itself if it was forked and has not.
    """

    pages: Numbers
    frames: Numbers
    child: Process
    _gone: list[tuple[int, int]] = field(default_factory=list)

    def copy(self) -> Window:
        """Return the same for the child that was forked."""
        return Window(self.pages, self.frames, self.child)

    def discard(self, start: int, stop: int) -> None:
        """Leave out the pages from `start` to `stop` (bytes) from now on."""
        self._gone.append((start // PAGE, -(-stop // PAGE)))

    def at(self, pages: Numbers) -> Numbers:
        """Return the frames that `pages` had; -1 for those that were not there."""
        places = np.searchsorted(self.pages, pages)
        places[places == len(self.pages)] = 0
        return np.where(self.pages[places] == pages, self.frames[places], -1) if len(self.pages) else pages * 0 - 1

    def compare(self, after: Window) -> tuple[int, int]:
        """Return how many pages have another frame in `after`, and how many are there at both ends."""
        kept = self._kept()
        _, mine, theirs = np.intersect1d(self.pages[kept], after.pages, assume_unique=True, return_indices=True)
        changed = self.frames[kept][mine] != after.frames[theirs]
        return int(np.count_nonzero(changed)), len(changed)

    def _kept(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        kept = np.ones(len(self.pages), np.bool_)
        for start, stop in self._gone:
            kept[np.searchsorted(self.pages, start) : np.searchsorted(self.pages, stop)] = False
        return kept
