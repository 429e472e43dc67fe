"""Physical frames: counts, contents, charges, and which are free.

Refcount = mapcount + `extra`. The top bit of `map` (LOOK) says that `extra` or `state` is not zero, so that one 2-byte
gather decides about most frames. A frame is free exactly if its entry in `map` is 0: there is no list of free ones.
Those used before are found by a sweep round the column; if they are too few or rare, never-used ones serve.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cowbench.errors import ProgramError

IntArray = npt.NDArray[np.integer]
Selection = slice | IntArray
"""Frame numbers: a slice where they are consecutive, else an array."""
Own = npt.NDArray[np.uint8] | None
"""A process's row with one byte a frame (see `ProcessState`), None where it has none."""

LOOK = np.uint16(0x8000)
COUNT = np.uint16(0x7FFF)
MAX_SHARERS = 0x7FFF - 1
RARE = 16
"""Freed frames are left while there is less than one in so many and never-used ones serve: a sweep would be long."""
MAX_SWEEP = 1 << 15
"""Frames looked at in one step when free ones are sought: few, as the last step looks at some in vain."""

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
        self.high = self._next = 1
        self.free = frames
        self.used = self.peak = 0
        self.limits = limits
        self.charges: dict[int, int] = {0: 0}
        self.odd = False

    def room(self, group: int) -> int:
        """Return how many frames a fault charged to `group` could still get."""
        limit = self.limits.get(group)
        return self.free if limit is None else max(0, min(self.free, limit - self.charges.get(group, 0)))

    def allocate(self, count: int, group: int, own: Own = None) -> Selection:
        """Take `count` frames for `group`, each mapped once, by the process with the row `own`.

        The caller checked `room` and books the peak.
        """
        freed = self.high - 1 - self.used
        fresh = min(count, len(self.map) - self.high) if count > freed or freed * RARE < self.high else 0
        taken: Selection = slice(self.high, self.high + fresh)
        self.map[taken] = 1
        if own is not None:
            own[taken] = 1
        self.high += fresh
        self.used += fresh
        if fresh < count:
            old = self._sweep(count - fresh, own)
            taken = np.concatenate((numbers(taken), numbers(old))) if fresh else old
        self.free -= count
        self.charges[group] = self.charges.get(group, 0) + count
        if len(self.charges) > 1:
            self.group[taken] = group
        return taken

    def _sweep(self, count: int, own: Own) -> Selection:
        """Take `count` freed frames: the next ones, ascending but for the wrap.

        Stretches with less than the usual share of free frames are left until they have more: work goes by stretches.
        """
        found: list[IntArray] = []
        while count:
            freed, first = self.high - 1 - self.used, self._next
            stop = min(first + min(64 + count * self.high // freed, MAX_SWEEP), self.high)
            self._next = stop if stop < self.high else 1
            idle = self.map[first:stop] == 0
            here = int(np.count_nonzero(idle))
            if here * self.high < freed * len(idle):
                continue
            there = np.flatnonzero(idle)
            if here > count:
                there = there[:count]
                idle = idle[: there[-1] + 1]
                self._next = first + len(idle)
            self.map[first : first + len(idle)] += idle
            if own is not None:
                own[first : first + len(idle)] |= idle
            found.append(there + first)
            count -= len(there)
            self.used += len(there)
        taken = found[0] if len(found) == 1 else np.concatenate(found)
        return consecutive(taken) or taken

    def release(self, frames: IntArray) -> None:
        """Free frames whose entry in `map` became 0."""
        self._uncharge(len(frames))
        if len(self.charges) > 1:
            for group, number in zip(*np.unique(self.group[frames], return_counts=True), strict=True):
                self.charges[int(group)] -= int(number)

    def release_marked(self, first: int, marks: npt.NDArray[np.bool_]) -> None:
        """As `release`, for the frames `first` + i with marks[i]: they need not be named if all belong to one group."""
        if len(self.charges) == 1:
            self._uncharge(int(np.count_nonzero(marks)))
        else:
            self.release(np.flatnonzero(marks) + first)

    def _uncharge(self, count: int) -> None:
        self.free += count
        self.used -= count
        if len(self.charges) == 1:
            self.charges[next(iter(self.charges))] -= count

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
        counts = self.map.take(done) & COUNT
        if self.odd:  # a frame without references has a state only if that was staged
            self.map[done] = counts | (self.state.take(done) != 0) * LOOK
        else:
            self.map[done] = counts
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


def consecutive(frames: IntArray) -> slice | None:
    """Return frames as a slice if they are consecutive: then all frame-side work is dense."""
    first, size = int(frames[0]), len(frames)
    if int(frames[-1]) - first != size - 1 or not bool((frames[1:] > frames[:-1]).all()):
        return None
    return slice(first, first + size)


def numbers(selection: Selection) -> IntArray:
    """Return a selection as an array of frame numbers."""
    if isinstance(selection, slice):
        return np.arange(selection.start, selection.stop)
    return selection


def leading(selection: Selection, count: int) -> Selection:
    """Return the first `count` frames of a selection."""
    return slice(selection.start, selection.start + count) if isinstance(selection, slice) else selection[:count]


def picked(selection: Selection, at: IntArray | None) -> Selection:
    """Return the frames of a selection at some positions (None: all)."""
    if at is None:
        return selection
    return at + selection.start if isinstance(selection, slice) else selection.take(at)


def check_sharers(processes: int) -> None:
    """Refuse more live processes than a mapcount can hold."""
    if processes > MAX_SHARERS:
        raise ProgramError(f"more than {MAX_SHARERS} live processes; end some before the next fork")
