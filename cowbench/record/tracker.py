"""A userfaultfd of another process: write protection that the kernel lifts by itself, and events that stop the process.

The recorded process opens the descriptor and hands it over; all that is done with it happens here. The kernel holds the
process (its calling thread) at an event until the event is read. A child that is forked has a descriptor of its own,
which comes with the event, and its mappings are tracked as its parent's are. When the last descriptor is closed, the
kernel undoes all of it. Source: include/uapi/linux/userfaultfd.h.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass

_API = 0xC018AA3F
_REGISTER = 0xC020AA00
_VERSION = 0xAA
_MODE_WRITE_PROTECT = 2

_FLAG_WP, _EVENT_FORK, _EVENT_REMAP, _EVENT_REMOVE, _EVENT_UNMAP = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 6
_WP_UNPOPULATED, _WP_ASYNC = 1 << 13, 1 << 15
TRACKING = _FLAG_WP | _WP_UNPOPULATED | _WP_ASYNC
"""Features of tracking alone; every user may ask for these."""
EVENTS = _EVENT_FORK | _EVENT_REMAP | _EVENT_REMOVE | _EVENT_UNMAP
"""Features of following a process; the fork event needs CAP_SYS_PTRACE."""

_MESSAGE = 32


@dataclass(frozen=True)
class Forked:
    """A child came into being; it has not run yet, and does from now on. tracker: its userfaultfd."""

    tracker: int


@dataclass(frozen=True)
class Moved:
    """mremap moved a mapping of `length` bytes."""

    source: int
    target: int
    length: int


@dataclass(frozen=True)
class Removed:
    """MADV_DONTNEED, MADV_FREE or MADV_REMOVE takes the pages from `start` to `stop` (bytes), from now on."""

    start: int
    stop: int


@dataclass(frozen=True)
class Unmapped:
    """The mappings from `start` to `stop` (bytes) are gone."""

    start: int
    stop: int


Event = Forked | Moved | Removed | Unmapped


def begin(tracker: int, features: int = TRACKING | EVENTS) -> None:
    """Ask for features. Raises OSError if the kernel lacks one (EINVAL) or the caller the right (EPERM)."""
    fcntl.ioctl(tracker, _API, bytearray(struct.pack("QQQ", _VERSION, features, 0)))


def register(tracker: int, start: int, stop: int) -> bool:
    """Track writes to the mappings from `start` to `stop` (bytes); False if the kernel refuses these.

    Raises ProcessLookupError if the process is gone.
    """
    try:
        fcntl.ioctl(tracker, _REGISTER, bytearray(struct.pack("QQQQ", start, stop - start, _MODE_WRITE_PROTECT, 0)))
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.ENOMEM):
            raise ProcessLookupError(errno.ESRCH, "the process is gone") from None
        return False
    return True


def next_event(tracker: int) -> Event | None:
    """Read an event, upon which the process goes on; None if there is none. Raises OSError."""
    try:
        message = os.read(tracker, _MESSAGE)
    except BlockingIOError:
        return None
    first, second, third = struct.unpack_from("QQQ", message, 8)
    match message[0]:
        case 0x13:
            return Forked(first & 0xFFFFFFFF)
        case 0x14:
            return Moved(first, second, third)
        case 0x15:
            return Removed(first, second)
        case 0x16:
            return Unmapped(first, second)
    raise OSError(errno.EPROTO, f"an event {message[0]:#x} of userfaultfd that was not asked for")
