"""exit, exec and discard: entries go, and what nobody needs any more goes with them (zap_pte_range, exit_mmap)."""

from __future__ import annotations

import numpy as np

from cowbench.simulated.frames import COUNT, LOOK, IntArray
from cowbench.simulated.memory import Memory
from cowbench.simulated.process import AddressSpace, ProcessState, mapped_frames
from cowbench.simulated.words import NUMBER, PRESENT, ZERO_PAGE

DENSE_BLOCK = 1 << 18
"""Frames per pass of a dense loop."""


def drain_on_zap(memory: Memory, process: ProcessState) -> None:
    """Up to 6.13, zapping drains the local batch."""
    if memory.flags.zap_exit_drain:
        memory.batches.drain(process.cpu)


def zap_all(memory: Memory, process: ProcessState) -> None:
    """Remove a whole address space (exit_mmap)."""
    drain_on_zap(memory, process)
    if process.present:
        memory.ledger.zapped += process.present
        if process.own is None:
            _unmap(memory, mapped_frames(process.words))
        else:
            _unmap_dense(memory, process)
    if process.swapped:
        words = process.words
        _drop_entries(memory, words[((words & PRESENT) == 0) & (words != 0)] & NUMBER)
    memory.rows.give_back(process.words, process.own)
    process.forget_memory()
    process.space = AddressSpace()


def discard(memory: Memory, process: ProcessState, pages: IntArray) -> None:
    """Remove the entries of `pages` (no duplicates): MADV_DONTNEED."""
    drain_on_zap(memory, process)
    process.part_from(pages)
    words = process.words[pages]
    frames = mapped_frames(words)
    slots = words[((words & PRESENT) == 0) & (words != 0)] & NUMBER
    process.words[pages] = 0
    if process.marks is not None:
        process.marks[pages] = 0
    if process.own is not None:
        process.own[frames] = 0
    process.present -= len(frames)
    process.swapped -= len(slots)
    process.zero_pages -= int(np.count_nonzero(words == ZERO_PAGE))
    memory.ledger.zapped += len(frames)
    _unmap(memory, frames)
    _drop_entries(memory, slots)


def _unmap(memory: Memory, frames: IntArray) -> None:
    frames = frames.astype(np.intp)
    columns = memory.frames
    columns.map[frames] -= np.uint16(1)
    left = columns.map[frames]
    columns.release(frames[left == 0])
    if columns.odd:
        _free_unmapped(memory, frames[left == LOOK])


def _unmap_dense(memory: Memory, process: ProcessState) -> None:
    columns, own = memory.frames, process.own
    assert own is not None
    scratch = np.empty(DENSE_BLOCK, np.bool_)
    for start in range(0, columns.high, DENSE_BLOCK):
        block = slice(start, min(start + DENSE_BLOCK, columns.high))
        counts, mine = columns.map[block], own[block]
        np.subtract(counts, mine, out=counts)
        idle = np.equal(counts, 0, out=scratch[: len(counts)])
        idle &= mine.view(np.bool_)  # 0 or 1 in every byte
        columns.release_marked(start, idle)
        if columns.odd:
            _free_unmapped(memory, np.flatnonzero((counts == LOOK) & (mine != 0)) + start)


def _free_unmapped(memory: Memory, frames: IntArray) -> None:
    """Free the swap cache of unmapped frames where possible, then those frames that nothing refers to."""
    memory.slots.uncache(memory.slots.freeable(frames))
    memory.frames.release_idle(frames)


def _drop_entries(memory: Memory, slots: IntArray) -> None:
    """Forget swap entries; a cached frame that only they led to leaves the swap cache (free_swap_and_cache)."""
    if not len(slots):
        return
    memory.slots.count[slots] -= 1
    cached = memory.slots.frame[slots].astype(np.intp)
    frames = cached[cached != 0]
    _free_unmapped(memory, frames[(memory.frames.map[frames] & COUNT) == 0])
    memory.slots.release_unused(slots[cached == 0])
