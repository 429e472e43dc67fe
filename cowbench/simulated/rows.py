"""Rows of per-process tables, kept for the next process: fresh memory costs more than all that fork does with it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class Rows:
    """Free rows. Contents are whatever the last owner left; takers overwrite what they use."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._own: list[npt.NDArray[np.uint8]] = []
        self._words: dict[int, list[npt.NDArray[np.uint32]]] = {}

    def own(self) -> npt.NDArray[np.uint8]:
        """Return a row with one byte a frame; frames never used are 0 in it."""
        return self._own.pop() if self._own else np.zeros(self._frames, np.uint8)

    def words(self, size: int) -> npt.NDArray[np.uint32]:
        """Return a page table of `size` entries."""
        free = self._words.get(size)
        return free.pop() if free else np.empty(size, np.uint32)

    def give_back(self, words: npt.NDArray[np.uint32], own: npt.NDArray[np.uint8] | None) -> None:
        """Keep the rows of a process that is gone."""
        if len(words):
            self._words.setdefault(len(words), []).append(words)
        if own is not None:
            self._own.append(own)
