"""Ways to find out which pages were written, probed by their effect."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import sys

from cowbench.errors import RecordError
from cowbench.record import pagemap, tracker
from cowbench.record.pagemap import PAGE

_SYS_USERFAULTFD = 323
_libc = ctypes.CDLL(None, use_errno=True)


def check_here() -> None:
    """Raise RecordError unless this machine, its kernel and this user can record."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise RecordError(f"recording works on Linux on x86-64 only, not on {sys.platform} on {platform.machine()}")
    if os.geteuid():
        raise RecordError("recording needs root: only root is told of another process's forks and frames; use sudo")
    try:
        works = tracks()
    except OSError as error:
        if error.errno == errno.EPERM:
            raise RecordError("recording needs the right CAP_SYS_PTRACE, which this root lacks") from None
        works = False
    if not works:
        raise RecordError(
            f"kernel {platform.release()} cannot tell which pages were written: that takes userfaultfd's asynchronous "
            "write protection and PAGEMAP_SCAN, so Linux 6.7 or later with CONFIG_USERFAULTFD"
        )


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
        finally:
            os.close(own)


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
