"""Pages of another process as the kernel tells them: which were written, which are there, which frames they have.

Sources: PAGEMAP_SCAN and PAGE_IS_* of include/uapi/linux/fs.h (6.7), Documentation/admin-guide/mm/pagemap.rst.
Pages here are virtual page numbers of the process: addresses / 4096. Only anonymous pages count, so shared memory,
pages of files and the zero page are left out.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

PAGE = 4096
_SCAN = 0xC0606610
_TRACKED, _WRITTEN, _FILE, _PRESENT, _SWAPPED, _ZERO, _HUGE = (1 << bit for bit in range(7))
_PROTECT = 1
_TOP = (1 << 47) - PAGE
"""End of the address space of user programs on x86-64, without the vsyscall page."""

_REGIONS = np.zeros((1 << 16, 3), np.uint64)
"""Where a scan puts start, end and categories of each region; one scan at a time."""

_GAP = 256
"""Runs of pages with fewer pages between them are read from pagemap in one go."""

_IS_PRESENT, _FRAME = 1 << 63, (1 << 55) - 1


@dataclass(frozen=True)
class Scan:
    """Pages found, ascending. huge: how many of them belong to huge pages."""

    pages: Numbers
    huge: int = 0


def written(pagemap: int, start: int = 0, stop: int = _TOP, protect: bool = True) -> Scan:
    """Find the tracked pages written since they were last protected; protect them again. start, stop in bytes."""
    return _scan(pagemap, start, stop, _TRACKED | _WRITTEN, _PROTECT if protect else 0)


def there(pagemap: int, start: int = 0, stop: int = _TOP) -> Numbers:
    """Find the pages that are there, tracked or not."""
    return _scan(pagemap, start, stop, 0, 0).pages


def is_anything_untracked(pagemap: int) -> bool:
    """Tell whether pages are there in mappings that are not tracked."""
    regions = _regions(pagemap, 0, _TOP, required=0, excluded=_TRACKED, flags=0, most=1)
    return any(len(found) for found in regions)


def _scan(pagemap: int, start: int, stop: int, required: int, flags: int) -> Scan:
    found = list(_regions(pagemap, start, stop, required, 0, flags))
    if not found:
        return Scan(np.zeros(0, np.int64))
    regions = np.concatenate(found).astype(np.int64)
    firsts, lengths = regions[:, 0] // PAGE, np.diff(regions[:, :2])[:, 0] // PAGE
    huge = int(lengths[regions[:, 2] & _HUGE != 0].sum())
    return Scan(expand(firsts, lengths), huge)


def expand(firsts: Numbers, lengths: Numbers) -> Numbers:
    """Return the pages of runs, in order."""
    ends = lengths.cumsum()
    offsets: Numbers = np.repeat(firsts - (ends - lengths), lengths)
    return offsets + np.arange(len(offsets), dtype=np.int64)


def _regions(
    pagemap: int, start: int, stop: int, required: int, excluded: int, flags: int, most: int = 0
) -> Iterator[npt.NDArray[np.uint64]]:
    """Yield regions (n, 3) of anonymous pages that have all categories `required` and none `excluded`."""
    without = _FILE | _ZERO | excluded
    while start < stop:
        where = (0, _REGIONS.ctypes.data, len(_REGIONS), most)
        what = (without, required | without, _PRESENT | _SWAPPED, _HUGE)
        arguments = bytearray(struct.pack("12Q", 96, flags, start, stop, *where, *what))
        count = fcntl.ioctl(pagemap, _SCAN, arguments)
        yield _REGIONS[:count].copy()
        if most:
            return
        start = struct.unpack_from("Q", arguments, 32)[0]


def frames(pagemap: int, pages: Numbers) -> Numbers:
    """Return the frame of each of `pages` (ascending); -1 for one that is not there. 0 without the right to know."""
    if not len(pages):
        return pages
    breaks = np.flatnonzero(np.diff(pages) > _GAP) + 1
    parts = [_read(pagemap, part) for part in np.split(pages, breaks)]
    return np.concatenate(parts)


def _read(pagemap: int, pages: Numbers) -> Numbers:
    first, count = int(pages[0]), int(pages[-1] - pages[0]) + 1
    entries = np.frombuffer(os.pread(pagemap, count * 8, first * 8), np.uint64)
    if len(entries) < count:
        return np.full(len(pages), -1, np.int64)
    mine = entries[pages - first]
    return np.where(mine & np.uint64(_IS_PRESENT), mine & np.uint64(_FRAME), -1).astype(np.int64)
