"""Physical frames: counts, contents, charges and the queue of free ones.

Refcount = mapcount + `extra`. The top bit of `map` (LOOK) says that `extra` or `state` is not zero, so that one 2-byte
gather decides about most frames. Free frames are a queue in the order freed; if it is too short, never-used
ones serve.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cowbench.errors import ProgramError

IntArray = npt.NDArray[np.integer]
Selection = slice | IntArray
"""Frame numbers: a slice where they are consecutive, else an array."""

LOOK = np.uint16(0x8000)
COUNT = np.uint16(0x7FFF)
MAX_SHARERS = 0x7FFF - 1

SWAP_CACHE, WRITEBACK, LOCKED, SPECULATIVE, BATCHED = (np.uint8(1 << bit) for bit in range(5))
CPU_SHIFT = np.uint8(5)
"""Bits 5 to 7 of `state` name the CPU whose LRU batch holds the frame."""


class Frames:
    """Columns with one entry a frame; entry 0 is the zero page and is never counted.

    map: uint16 mapcount and LOOK. extra: int32 references besides mappings. owners: int32 live references (not
    counts). coherent: int32 live coherent ones, kept for oracles only. state: uint8 bits above. slot: uint32 swap slot
    while in the swap cache. token: uint32 operation that wrote last. group: uint16 memory cgroup charged, used once a
    second group exists.
    """

    def __init__(self, frames: int, limits: dict[int, int]) -> None:
        size = frames + 1
        self.map = np.zeros(size, np.uint16)
        self.extra = np.zeros(size, np.int32)
        self.owners = np.zeros(size, np.int32)
        self.coherent = np.zeros(size, np.int32)
        self.state = np.zeros(size, np.uint8)
        self.slot = np.zeros(size, np.uint32)
        self.token = np.zeros(size, np.uint32)
        self.group = np.zeros(size, np.uint16)
        self._queue = np.empty(size, np.uint32)
        self._head = self._queued = 0
        self.high = 1
        self.free = frames
        self.used = self.peak = 0
        self.limits = limits
        self.charges: dict[int, int] = {0: 0}
        self.odd = False

    def room(self, group: int) -> int:
        """Return how many frames a fault charged to `group` could still get."""
        limit = self.limits.get(group)
        return self.free if limit is None else max(0, min(self.free, limit - self.charges.get(group, 0)))

    def allocate(self, count: int, group: int) -> Selection:
        """Take `count` frames, charged to `group`; the caller checked `room` and books the peak."""
        never_used = len(self.map) - self.high
        fresh = 0 if count <= self._queued else min(count, never_used)
        taken: Selection = slice(self.high, self.high + fresh)
        if fresh < count:
            old = self._dequeue(count - fresh)
            taken = np.concatenate((numbers(taken), numbers(old))) if fresh else old
        self.high += fresh
        self.free -= count
        self.used += count
        self.charges[group] = self.charges.get(group, 0) + count
        if len(self.charges) > 1:
            self.group[taken] = group
        return taken

    def release(self, frames: IntArray) -> None:
        """Return frames to the queue that have neither counts nor states left."""
        count = len(frames)
        if not count:
            return
        self._enqueue(frames)
        self.free += count
        self.used -= count
        if len(self.charges) == 1:
            self.charges[next(iter(self.charges))] -= count
            return
        for group, number in zip(*np.unique(self.group[frames], return_counts=True), strict=True):
            self.charges[int(group)] -= int(number)

    def open_group(self, group: int) -> None:
        """Make a memory cgroup known, so that charges are told apart from now on."""
        self.charges.setdefault(group, 0)

    def look_again(self, frames: Selection) -> None:
        """Set LOOK where references or states call for it, clear it elsewhere."""
        look = (self.extra[frames] != 0) | (self.state[frames] != 0)
        self.map[frames] = (self.map[frames] & COUNT) | (look * LOOK)

    def settle(self, frames: IntArray) -> None:
        """Clear LOOK where references and states are gone, and free what nothing refers to any more (no duplicates)."""
        done = frames[self.extra.take(frames) == 0]
        counts, states = self.map.take(done) & COUNT, self.state.take(done)
        self.map[done] = counts | (states != 0) * LOOK if states.any() else counts
        idle = done[counts == 0]
        self.map[idle] = 0
        self.state[idle] = 0
        self.release(idle)

    def release_idle(self, frames: IntArray) -> IntArray:
        """Free those of `frames` (no duplicates) that nothing refers to any more; return them."""
        counts = self.map[frames]
        if not len(counts) or int(np.bitwise_and(counts, COUNT).min()):
            return frames[:0]
        idle = frames[((counts & COUNT) == 0) & (self.extra[frames] == 0)]
        self.map[idle] = 0
        self.state[idle] = 0
        self.release(idle)
        return idle

    def _dequeue(self, count: int) -> Selection:
        size = len(self._queue)
        end = self._head + count
        first = self._queue[self._head : min(end, size)]
        taken = np.concatenate((first, self._queue[: end - size])) if end > size else first
        self._head = end % size
        self._queued -= count
        return consecutive(taken) or taken.astype(np.intp)  # numpy converts any other index at every use

    def _enqueue(self, frames: IntArray) -> None:
        size = len(self._queue)
        start = (self._head + self._queued) % size
        first = min(len(frames), size - start)
        self._queue[start : start + first] = frames[:first]
        self._queue[: len(frames) - first] = frames[first:]
        self._queued += len(frames)


def consecutive(frames: IntArray) -> slice | None:
    """Return frames as a slice if they are consecutive: then all frame-side work is dense."""
    first, size = int(frames[0]), len(frames)
    if int(frames[-1]) - first != size - 1 or not bool((frames[1:] - frames[:-1] == 1).all()):
        return None
    return slice(first, first + size)


def numbers(selection: Selection) -> IntArray:
    """Return a selection as an array of frame numbers."""
    if isinstance(selection, slice):
        return np.arange(selection.start, selection.stop)
    return selection


def check_sharers(processes: int) -> None:
    """Refuse more live processes than a mapcount can hold."""
    if processes > MAX_SHARERS:
        raise ProgramError(f"more than {MAX_SHARERS} live processes; end some before the next fork")
