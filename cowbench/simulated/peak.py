"""New frames enter the LRU batch, old ones become free: when each of it happens within a batch of faults.

Times are in half positions: at position i a page gets its own frame at 2 i, its copy at 2 i + 1, and leaves
its old frame at 2 i + 2.
"""

from __future__ import annotations

import numpy as np

from cowbench.simulated.frames import COUNT, IntArray, Selection
from cowbench.simulated.memory import Memory
from cowbench.views import Mask

Left = tuple[IntArray, IntArray]
"""Frames that pages left: positions and frames."""
Times = IntArray
NEVER: Times = np.zeros(0, np.intp)


def enter_batch(
    memory: Memory, cpu: int, first: Mask, second: Mask, drains: Mask, new: Selection
) -> tuple[int, IntArray]:
    """Let new frames enter the LRU batch in order; return when it flushed first, and the frames which that freed."""
    held, drained_at, drain = len(memory.batches.held[cpu]), None, 2 * len(drains)
    if drains.any():
        last = len(drains) - 1 - int(np.argmax(drains[::-1]))
        drained_at = int(np.count_nonzero(first[: last + 1]) + np.count_nonzero(second[:last]))
        drain = 2 * int(np.argmax(drains)) + 1
    flushed = memory.batches.enter(cpu, new, drained_at)
    if not len(flushed):
        return 0, flushed
    entered = held + np.cumsum(_in_order(first, second))
    return min(drain, int(np.searchsorted(entered, memory.batches.size)) + 1), flushed


def release_left(memory: Memory, left: Left) -> Times:
    """Free those frames that became idle when a page left them; return when."""
    at, numbers = left
    if not len(numbers):
        return at
    frames = memory.frames
    idle = ((frames.map[numbers] & COUNT) == 0) & (frames.extra[numbers] == 0)
    frames.release_idle(numbers[idle])
    return 2 * at[idle] + 2


def when_flushed(flush: int, flushed: IntArray, left: list[Left]) -> Times:
    """Return when flushed frames became free: at the flush, or when their page left them if that came later."""
    times = np.full(len(flushed), flush)
    for at, frames in left:
        both, there, here = np.intersect1d(frames, flushed, assume_unique=True, return_indices=True)
        if len(both):
            times[here] = np.maximum(flush, 2 * at[there] + 2)
    return times


def book_peak(memory: Memory, used: int, first: Mask, second: Mask, freed: list[Times]) -> None:
    """Book the most frames in use at once; `used` were before."""
    frames = memory.frames
    if not any(map(len, freed)):
        frames.peak = max(frames.peak, frames.used)
        return
    allocated = _in_order(first, second)
    free = np.zeros(len(allocated) + 1, np.int64)
    for times in freed:
        np.add.at(free, times, 1)
    in_use = used + np.cumsum(allocated) - np.cumsum(free)[:-1]
    frames.peak = max(frames.peak, int(in_use.max(initial=used)))


def _in_order(first: Mask, second: Mask) -> Mask:
    return np.stack((first, second), axis=1).ravel()
