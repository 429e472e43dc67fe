"""Swap slots: how many swap entries name each, which frame caches it, and what it holds once dropped from the cache."""

from __future__ import annotations

import numpy as np

from cowbench.simulated.frames import LOCKED, LOOK, SWAP_CACHE, WRITEBACK, Frames, IntArray

CACHE_BITS = np.uint8(int(SWAP_CACHE) | int(WRITEBACK))


class Slots:
    """Columns with one entry a slot; slot 0 is never used. count: swap entries. frame: 0 if not cached. content:
    token.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self.count = np.zeros(1024, np.int32)
        self.frame = np.zeros(1024, np.uint32)
        self.content = np.zeros(1024, np.uint32)
        self._high = 1
        self._free: list[IntArray] = []
        self.used = 0

    def allocate(self, count: int) -> IntArray:
        """Take free slots; swap space is unlimited."""
        while self._high + count > len(self.count):
            for name in ("count", "frame", "content"):
                column = getattr(self, name)
                setattr(self, name, np.concatenate((column, np.zeros_like(column))))
        self.used += count
        if self._free and len(self._free[-1]) >= count:
            last = self._free.pop()
            if len(last) > count:
                self._free.append(last[count:])
            return last[:count]
        taken = np.arange(self._high, self._high + count, dtype=np.uint32)
        self._high += count
        return taken

    def release_unused(self, slots: IntArray) -> None:
        """Free those of `slots` (no duplicates) that no entry names and no frame caches."""
        unused = slots[(self.count[slots] == 0) & (self.frame[slots] == 0)]
        if len(unused):
            self._free.append(unused)
            self.used -= len(unused)

    def cache(self, slots: IntArray, frames: IntArray) -> None:
        """Put frames into the swap cache."""
        self.frame[slots] = frames
        columns = self._frames
        columns.slot[frames] = slots
        columns.state[frames] |= SWAP_CACHE
        columns.extra[frames] += np.int32(1)
        columns.map[frames] |= LOOK
        columns.odd = True

    def uncache(self, frames: IntArray) -> None:
        """Take frames out of the swap cache; their slots go too if no entry names them."""
        columns = self._frames
        slots = columns.slot[frames]
        self.frame[slots] = 0
        columns.state[frames] &= ~CACHE_BITS
        columns.extra[frames] -= np.int32(1)
        columns.look_again(frames)
        self.release_unused(slots)

    def freeable(self, frames: IntArray) -> IntArray:
        """Return those of `frames` whose swap cache trylock and try_to_free_swap() would free."""
        state = self._frames.state[frames]
        cached = (state & (SWAP_CACHE | WRITEBACK | LOCKED)) == SWAP_CACHE
        picked = frames[cached]
        return picked[self.count[self._frames.slot[picked]] == 0]
