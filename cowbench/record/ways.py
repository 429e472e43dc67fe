"""Ways to find out which pages were written, probed by their effect."""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np

from cowbench.errors import RecordError
from cowbench.record import pagemap, tracker
from cowbench.record.pagemap import PAGE, Untracked
from cowbench.recording import Way

_SYS_USERFAULTFD = 323
_libc = ctypes.CDLL(None, use_errno=True)


def choose(asked: Way | None = None) -> Way:
    """Return the way that was asked for, else the best one that works.

    Raises RecordError if this machine, its kernel or this user cannot record so, or at all.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise RecordError(f"recording works on Linux on x86-64 only, not on {sys.platform} on {platform.machine()}")
    if os.geteuid():
        raise RecordError("recording needs root: only root is told of another process's forks and frames; use sudo")
    ways: tuple[Way, ...] = (asked,) if asked else get_args(Way)
    for way in ways:
        if _WAYS[way]():
            return way
    raise RecordError(f"kernel {platform.release()} cannot tell which pages were written: {_NEEDS[ways[-1]]}")


def check_here() -> None:
    """Raise RecordError unless recording is exact here."""
    choose("userfaultfd")


LAST: Way = "frame numbers"
_NEEDS: dict[Way, str] = {
    "userfaultfd": "that takes userfaultfd's asynchronous write protection and PAGEMAP_SCAN, so Linux 6.7 or later "
    "with CONFIG_USERFAULTFD, and the right CAP_SYS_PTRACE",
    "soft-dirty": "that takes soft-dirty marks, so CONFIG_MEM_SOFT_DIRTY",
    LAST: "frame numbers are hidden, as the right CAP_SYS_ADMIN is lacking",
}


def _is_told_by_userfaultfd() -> bool:
    try:
        return tracks()
    except OSError:
        return False


def _is_told_by_soft_dirty() -> bool:
    """Tell whether marks of a page vanish when cleared, and come back when it is written."""
    with mmap.mmap(-1, PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        page = np.array([pagemap.address(memory) // PAGE])
        marks = []
        with open("/proc/self/pagemap", "rb", buffering=0) as file:
            for _ in range(2):
                memory[0] = 1
                marks += pagemap.marked(file.fileno(), page)[2].tolist()
                Path("/proc/self/clear_refs").write_text("4")
                marks += pagemap.marked(file.fileno(), page)[2].tolist()
    return marks == [True, False, True, False]


def _is_told_by_frames() -> bool:
    return pagemap.zero_frame() != 0


_WAYS: dict[Way, Callable[[], bool]] = {
    "userfaultfd": _is_told_by_userfaultfd,
    "soft-dirty": _is_told_by_soft_dirty,
    LAST: _is_told_by_frames,
}


def tracks() -> bool:
    """Tell whether the kernel finds exactly the pages written, in this process. Raises OSError if it refuses to."""
    own = _userfaultfd()
    try:
        tracker.begin(own)  # may the events be had?
    finally:
        os.close(own)
    own = _userfaultfd()
    with mmap.mmap(-1, 3 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        try:
            tracker.begin(own, tracker.TRACKING)
            return _tracks(own, memory)
        except Untracked:
            return False
        finally:
            os.close(own)


def fault_ns() -> float:
    """Measure what a write costs more because its page is protected, in ns. Raises OSError."""
    own = _userfaultfd()
    with mmap.mmap(-1, _SAMPLE * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        try:
            _write(memory)
            tracker.begin(own, tracker.TRACKING)
            return statistics.median(_faults(own, memory) for _ in range(_TIMES)) / _SAMPLE
        finally:
            os.close(own)


_SAMPLE, _TIMES = 512, 5


def _faults(own: int, memory: mmap.mmap) -> int:
    start = pagemap.address(memory)
    tracker.register(own, start, start + len(memory))
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        pagemap.touched(file.fileno(), start, start + len(memory))
    return _write(memory) - _write(memory)


def _write(memory: mmap.mmap) -> int:
    start = time.perf_counter_ns()
    for place in range(0, len(memory), PAGE):
        memory[place] = 1
    return time.perf_counter_ns() - start


def _tracks(own: int, memory: mmap.mmap) -> bool:
    start = pagemap.address(memory)
    tracker.register(own, start, start + len(memory))
    found = []
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        for page in (0, 1, 0, None):
            if page is not None:
                memory[page * PAGE] = 1
            found.append((pagemap.touched(file.fileno(), start, start + len(memory)) - start // PAGE).tolist())
    return 0 in found[0] and found[1:] == [[1], [0], []]


def _userfaultfd() -> int:
    descriptor: int = _libc.syscall(_SYS_USERFAULTFD, os.O_CLOEXEC | os.O_NONBLOCK)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "userfaultfd")
    return descriptor
