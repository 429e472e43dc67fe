"""Page numbers of a recording: small ones, the same for one address in all processes.

Addresses are numbered in chunks of 64 KiB in the order of first sight; so tables of pages stay small, however far apart
mappings lie.
"""

from __future__ import annotations

import numpy as np

from cowbench.record.pagemap import Mask, Numbers
from cowbench.recording import CHUNK


class Numbering:
    """Numbers chunks. `fresh` are the chunks numbered since it was emptied, in the order of their numbers."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self.fresh: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, pages: Numbers) -> Numbers:
        """Return the numbers of virtual pages, ascending, and number the chunks not seen before."""
        chunks, which = np.unique(pages // CHUNK, return_inverse=True)
        numbers = np.array([self._number(chunk) for chunk in chunks.tolist()], np.int64)
        numbered = numbers[which] * CHUNK + pages % CHUNK
        numbered.sort()
        return numbered

    def known(self, start: int, stop: int) -> Numbers:
        """Return the numbers, ascending, of those pages from `start` to before `stop` whose chunks were seen."""
        first, last = start // CHUNK, (stop - 1) // CHUNK
        wide = last - first > len(self._numbers)
        chunks = [c for c in self._numbers if first <= c <= last] if wide else range(first, last + 1)
        numbers = np.array([(c, self._numbers[c]) for c in chunks if c in self._numbers], np.int64).reshape(-1, 2)
        pages = (numbers[:, :1] * CHUNK + np.arange(CHUNK)).ravel()
        inside = (pages >= start) & (pages < stop)
        numbered = (numbers[:, 1:] * CHUNK + np.arange(CHUNK)).ravel()[inside]
        numbered.sort()
        return numbered

    def _number(self, chunk: int) -> int:
        number = self._numbers.get(chunk)
        if number is None:
            number = self._numbers[chunk] = len(self._numbers)
            self.fresh.append(chunk)
        return number


class Marks:
    """A mark for each page number; none at first."""

    def __init__(self) -> None:
        self._marks = np.zeros(CHUNK, np.bool_)

    def copy(self) -> Marks:
        """Return marks of their own that are the same."""
        other = Marks()
        other._marks = self._marks.copy()
        return other

    def mark(self, numbers: Numbers, on: bool) -> None:
        """Set or clear marks of numbers, ascending."""
        self._reach(numbers)
        self._marks[numbers] = on

    def at(self, numbers: Numbers) -> Mask:
        """Return the marks of numbers, ascending."""
        self._reach(numbers)
        return self._marks[numbers]

    def _reach(self, numbers: Numbers) -> None:
        short = int(numbers[-1]) + 1 - len(self._marks) if len(numbers) else 0
        if short > 0:
            self._marks = np.concatenate((self._marks, np.zeros(max(short, len(self._marks)), np.bool_)))
