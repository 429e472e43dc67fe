"""A process whose written pages are told by comparing its pagemap with that of the look before.

Where the kernel keeps soft-dirty marks, pages written are those that are marked again after the marks were cleared; the
process is held between reading and clearing. Elsewhere only what changed its frame, or is new, is known to have been
written: what a process and its relatives no longer share. Source: Documentation/admin-guide/mm/soft-dirty.rst.
"""

from __future__ import annotations

import errno
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cowbench.record import pagemap
from cowbench.record.hold import held
from cowbench.record.maps import mappings
from cowbench.record.pagemap import PAGE, TOP, Numbers
from cowbench.record.traced import NONE, Found, Traced

_CLEAR_SOFT_DIRTY = "4"


@dataclass
class Compared(Traced):
    """Such a process. marked: by soft-dirty marks. before, frames: its pages at the last look, and their frames."""

    marked: bool = False
    before: Numbers = field(default_factory=lambda: NONE)
    frames: Numbers = field(default_factory=lambda: NONE)

    def written(self) -> Found:
        """Return what changed since the last look."""
        with held(self.pid) if self.marked else nullcontext():
            pages, frames, marks = self._read(0, TOP)
            if self.marked:
                Path(f"/proc/{self.pid}/clear_refs").write_text(_CLEAR_SOFT_DIRTY)
        changed = marks if self.marked else self._changed(pages, frames)
        gone = np.setdiff1d(self.before, pages, assume_unique=True)
        self.before, self.frames = pages, frames
        return Found(pages[changed], gone)

    def _changed(self, pages: Numbers, frames: Numbers) -> pagemap.Mask:
        """Tell which pages are new or have another frame."""
        _, mine, theirs = np.intersect1d(pages, self.before, assume_unique=True, return_indices=True)
        same = np.zeros(len(pages), np.bool_)
        same[mine] = frames[mine] == self.frames[theirs]
        return ~same

    def written_between(self, start: int, stop: int) -> Numbers:
        """Return the pages written between two addresses since the last look; a look will tell them again."""
        pages, frames, marks = self._read(start, stop)
        return pages[marks if self.marked else self._changed(pages, frames)]

    def there(self, start: int = 0, stop: int = TOP) -> tuple[Numbers, Numbers]:
        """Return the anonymous pages between two addresses, and their frames."""
        return self._read(start, stop)[:2]

    def _read(self, start: int, stop: int) -> tuple[Numbers, Numbers, pagemap.Mask]:
        """Return the anonymous pages between two addresses, their frames and whether they are marked."""
        spans = [
            (max(start, one.start) // PAGE, -(-min(stop, one.stop) // PAGE))
            for one in mappings(self.pid)
            if one.private and one.usable and max(start, one.start) < min(stop, one.stop)
        ]
        pages = np.concatenate([np.arange(*span, dtype=np.int64) for span in spans]) if spans else NONE
        found = pagemap.marked(self.memory, pages)
        if self.is_empty():
            raise ProcessLookupError(errno.ESRCH, "the process is gone")
        return found
