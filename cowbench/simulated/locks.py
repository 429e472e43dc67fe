"""How long fork holds the page-table lock when it copies early (copy_pte_range).

The lock covers one page table, 512 entries. An early copy with a sleeping allocation drops it, allocates, takes it
again and goes on with the page it stopped at; an atomic allocation happens under it. Contention and rescheduling,
which also break the walk, are not modelled; empty entries before the last one in use count as walked.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cowbench.ledger import LockHold, LockHolds
from cowbench.simulated.frames import IntArray

TABLE = 512
"""Entries of one page table (PTRS_PER_PTE)."""


_BLOCK = 4096


def used(words: npt.NDArray[np.uint32]) -> int:
    """Return the number of entries up to the last one in use."""
    stop = len(words)
    while stop and not words[max(stop - _BLOCK, 0) : stop].any():
        stop = max(stop - _BLOCK, 0)
    inside = np.flatnonzero(words[max(stop - _BLOCK, 0) : stop])
    return max(stop - _BLOCK, 0) + int(inside[-1]) + 1 if len(inside) else 0


def sleeping(tried: IntArray, copied: npt.NDArray[np.bool_], end: int) -> LockHolds:
    """Return the holds in the tables where early copies were tried, by (entries, copies).

    tried: pages in order, each after the lock was dropped for it; copied: whether a frame was got; end: where the
    walk ended. A page at `end` is one whose allocation failed fork: its lock was not taken again.
    """
    table = tried // TABLE
    begins = _begins(table)
    stops = np.append(tried[1:], end)
    lasts = np.append(begins[1:], len(tried)) - 1
    stops[lasts] = np.minimum((table[lasts] + 1) * TABLE, end)
    lengths = (stops - tried) * 2 + copied
    before = (tried[begins] - table[begins] * TABLE) * 2
    codes = np.bincount(np.concatenate((before, lengths[tried < end])))
    return {LockHold(int(code) // 2, int(code) % 2, 0): int(codes[code]) for code in np.flatnonzero(codes)}


def atomic(tried: IntArray, copied: npt.NDArray[np.bool_], end: int) -> LockHolds:
    """As `sleeping`, with every allocation under the lock: one hold a table."""
    table = tried // TABLE
    begins = _begins(table)
    entries = np.minimum((table[begins] + 1) * TABLE, end) - table[begins] * TABLE
    copies, allocations = np.add.reduceat(copied.astype(np.intp), begins), np.diff(begins, append=len(tried))
    holds: LockHolds = {}
    for found in zip(entries.tolist(), copies.tolist(), allocations.tolist(), strict=True):
        hold = LockHold(*found)
        holds[hold] = holds.get(hold, 0) + 1
    return holds


def _begins(table: IntArray) -> IntArray:
    """Return where the numbers, which ascend, change, the first included."""
    return np.concatenate(([0], np.flatnonzero(table[1:] != table[:-1]) + 1))
