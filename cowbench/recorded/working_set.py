"""The working-set curve of writes: how many pages are written within a window, as a mean over all windows.

Denning and Schwartz, "Properties of the working-set model" (CACM 1972): the mean working set is a sum over the times
between two writes of a page, each counted up to the length of the window: one pass over the writes gives all windows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


class WorkingSet:
    """Collects times between writes of the same page by the same process, in intervals of `interval_ms`."""

    def __init__(self, interval_ms: float) -> None:
        self.interval_ms = interval_ms
        self._last: dict[int, npt.NDArray[np.int32]] = {}
        self._times = np.zeros(64, np.int64)
        self._intervals = 0

    def write(self, process: int, pages: npt.NDArray[np.intp], ms: float) -> None:
        """Pages (ascending, no duplicates) were written in the interval that ended at `ms`."""
        now = self._at(ms)
        last = self._last.get(process, _NEVER)
        if len(pages) and pages[-1] >= len(last):
            more = max(int(pages[-1]) + 1, 2 * len(last)) - len(last)
            last = self._last[process] = np.concatenate((last, np.full(more, -1, np.int32)))
        before = last[pages]
        self._count(now - before[before >= 0])
        last[pages] = now

    def forget(self, process: int, ms: float) -> None:
        """The process has lost its memory: nothing of it is in any window from now on."""
        last = self._last.pop(process, _NEVER)
        self._count(self._at(ms) - last[last >= 0])

    def finish(self, ms: float) -> None:
        """The recording ended."""
        self._intervals = self._at(ms)
        for process in list(self._last):
            self.forget(process, ms)

    def pages(self, windows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the mean number of pages written within windows of so many intervals, over all moments."""
        lengths = np.arange(len(self._times))
        shorter = np.concatenate(([0], np.cumsum(self._times * lengths)))
        number = np.concatenate(([0], np.cumsum(self._times)))
        at = np.minimum(windows + 1, len(self._times))
        total = shorter[at] + (number[-1] - number[at]) * windows
        return total / max(1, self._intervals)

    def curve(self) -> list[tuple[float, float]]:
        """Return windows in ms, from one interval to the whole recording, with the pages written in them."""
        whole = max(1, self._intervals)
        windows = np.unique(np.minimum(2 ** np.arange(31), whole))
        return list(zip((windows * self.interval_ms).tolist(), self.pages(windows).tolist(), strict=True))

    def _at(self, ms: float) -> int:
        return round(ms / self.interval_ms)

    def _count(self, times: npt.NDArray[np.int32]) -> None:
        if not len(times):
            return
        counts = np.bincount(times)
        if len(counts) > len(self._times):
            more = np.zeros(max(len(counts), 2 * len(self._times)) - len(self._times), np.int64)
            self._times = np.concatenate((self._times, more))
        self._times[: len(counts)] += counts


_NEVER = np.zeros(0, np.int32)
