"""Per-CPU LRU batches (pagevecs): fresh pages wait there, one reference each, until the batch fills or is drained."""

from __future__ import annotations

import numpy as np

from cowbench.simulated.frames import BATCHED, COUNT, CPU_SHIFT, LOOK, Frames, IntArray, Selection, numbers

BATCH_BITS = np.uint8(int(BATCHED) | 7 << int(CPU_SHIFT))
EMPTY: IntArray = np.empty(0, np.uint32)


class Batches:
    """The batches of all CPUs; `size` entries make one full.

    What frames in a batch look like (a reference, a state) is written once an operation is over: none of its blocks
    sees a frame of an earlier one, and most frames pass through a batch within one operation. `marked`: how many of
    those held look so already.
    """

    def __init__(self, frames: Frames, cpus: int, size: int) -> None:
        self._frames = frames
        self.size = size
        self.held: list[IntArray] = [EMPTY] * cpus
        self._marked = [0] * cpus

    def drain(self, cpu: int) -> None:
        """Flush the batch of `cpu`."""
        self._replace(cpu, EMPTY)

    def enter(self, cpu: int, new: Selection, drained_at: int | None = None) -> IntArray:
        """Let frames enter in order, to be marked later; return the frames that became free.

        `drained_at`: the batch was drained (last) just before new[drained_at] entered; may equal the length.
        """
        count = new.stop - new.start if isinstance(new, slice) else len(new)
        old = self.held[cpu]
        if drained_at is None and len(old) + count < self.size:
            self.held[cpu] = np.concatenate((old, numbers(new))) if count else old
            return EMPTY
        tail = (len(old) + count if drained_at is None else count - drained_at) % self.size
        last = slice(new.stop - tail, new.stop) if isinstance(new, slice) else new[count - tail :]
        return self._replace(cpu, numbers(last))

    def mark(self, cpu: int) -> None:
        """Give the frames held the reference and the state of a batch, where they do not have them yet."""
        fresh = self.held[cpu][self._marked[cpu] :]
        if len(fresh):
            self._hold(cpu, fresh.astype(np.intp, copy=False))
            self._marked[cpu] = len(self.held[cpu])

    def _replace(self, cpu: int, held: IntArray) -> IntArray:
        old, self.held[cpu] = self.held[cpu][: self._marked[cpu]], held
        self._marked[cpu] = 0
        return self._settle(old)

    def _hold(self, cpu: int, frames: Selection) -> None:
        self._frames.extra[frames] += np.int32(1)
        self._frames.state[frames] |= np.uint8(int(BATCHED) | cpu << int(CPU_SHIFT))
        self._frames.map[frames] |= LOOK

    def _settle(self, frames: IntArray) -> IntArray:
        if not len(frames):
            return EMPTY
        columns = self._frames
        frames = frames.astype(np.intp, copy=False)
        columns.extra[frames] = extra = columns.extra.take(frames) - np.int32(1)
        columns.state[frames] = state = columns.state.take(frames) & ~BATCH_BITS
        counts = columns.map.take(frames) & COUNT
        columns.map[frames] = counts | ((extra | state) != 0) * LOOK
        return EMPTY if counts.all() else columns.release_idle(frames)
