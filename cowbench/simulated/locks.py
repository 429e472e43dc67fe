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
    tables = np.unique(tried // TABLE) * TABLE
    again = tried < end
    starts = np.concatenate((tables, tried[again]))
    order = np.argsort(2 * starts + (np.arange(len(starts)) >= len(tables)), kind="stable")
    copies = np.concatenate((np.zeros(len(tables), np.intp), copied[again].astype(np.intp)))[order]
    starts = starts[order]
    stops = np.minimum(np.append(starts[1:], end), np.minimum((starts // TABLE + 1) * TABLE, end))
    codes = np.bincount((stops - starts) * 2 + copies)
    return {LockHold(int(code) // 2, int(code) % 2, 0): int(codes[code]) for code in np.flatnonzero(codes)}


def atomic(tried: IntArray, copied: npt.NDArray[np.bool_], end: int) -> LockHolds:
    """As `sleeping`, with every allocation under the lock: one hold a table."""
    tables, table = np.unique(tried // TABLE, return_inverse=True)
    entries = np.minimum((tables + 1) * TABLE, end) - tables * TABLE
    copies, allocations = np.bincount(table[copied], minlength=len(tables)), np.bincount(table)
    holds: LockHolds = {}
    for found in zip(entries.tolist(), copies.tolist(), allocations.tolist(), strict=True):
        hold = LockHold(*found)
        holds[hold] = holds.get(hold, 0) + 1
    return holds
