"""A process whose written pages userfaultfd tells exactly: those whose protection a write has lifted."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from cowbench.errors import RecordError
from cowbench.record import pagemap, tracker
from cowbench.record.maps import Mapping, mappings
from cowbench.record.pagemap import PAGE, TOP, Numbers, Untracked
from cowbench.record.traced import NONE, Found, Traced

_REFRESH = 50
"""Looks after which mappings are read again in any case: one may have taken the place of one that is not tracked."""

_TRIES = 100
"""Times that new mappings may turn up during one look."""


@dataclass
class Protected(Traced):
    """Such a process. tracker: its userfaultfd.

    doubtful: pages that may look written although only the parent wrote them, just before the fork.
    """

    tracker: int = -1
    doubtful: Numbers = field(default_factory=lambda: NONE)
    _ranges: list[tuple[int, int]] = field(default_factory=list)
    _looks: int = 0

    def written(self) -> Found:
        """Return the pages written since the last look."""
        if self._looks % _REFRESH == 0:
            self._track()
        self._looks += 1
        found = self._sorted_out(self._touched(0, TOP))
        self.doubtful = NONE
        return Found(found)

    def written_between(self, start: int, stop: int) -> Numbers:
        """Return the pages written between two addresses since the last look."""
        return self._sorted_out(self._touched(start // PAGE * PAGE, -(-stop // PAGE) * PAGE))

    def _touched(self, start: int, stop: int) -> Numbers:
        """Scan what is tracked between two addresses; when something is not yet, track it and scan again."""
        found: list[Numbers] = []
        for _ in range(_TRIES):
            spans = [(max(start, first), min(stop, last)) for first, last in self._ranges]
            try:
                found += [pagemap.touched(self.memory, *span) for span in spans if span[0] < span[1]]
            except Untracked as more:
                found.append(more.found)
                self._track()
            else:
                return np.unique(np.concatenate(found)) if found else NONE
        raise RecordError(f"process {self.pid} maps memory faster than it can be tracked, or some that cannot be")

    def _track(self) -> None:
        """Track all private mappings; scans shall span all addresses but the mappings that cannot be tracked."""
        left_out = [one for one in mappings(self.pid) if one.start < TOP and not self._tracks(one)]
        self.untracked.update(left_out)
        starts = [0, *(one.stop for one in left_out)]
        stops = [*(one.start for one in left_out), TOP]
        self._ranges = [(start, stop) for start, stop in zip(starts, stops, strict=True) if start < stop]

    def _tracks(self, one: Mapping) -> bool:
        return one.private and not one.huge and tracker.register(self.tracker, one.start, one.stop)

    def _sorted_out(self, touched: Numbers) -> Numbers:
        """Drop what is no anonymous page, and the doubtful pages that have the frame they had at the fork."""
        pages, frames = pagemap.anonymous(self.memory, touched)
        if not len(self.doubtful) or self.window is None:
            return pages
        unwritten = np.isin(pages, self.doubtful) & (frames == self.window.at(pages))
        return pages[~unwritten]

    def there(self, start: int = 0, stop: int = TOP) -> tuple[Numbers, Numbers]:
        """Return the anonymous pages between two addresses, and their frames."""
        return pagemap.there(self.memory, start, stop)

    def close(self) -> None:
        """Close what leads to it; it is no longer tracked."""
        super().close()
        os.close(self.tracker)
