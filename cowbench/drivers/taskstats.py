"""How often the kernel entered its copy-on-write copy for a task: `wpcopy_count` of taskstats (Linux 6.0 and later).

The count is of everything that was copied on a write fault: anonymous pages, pages of private file mappings that were
read before, and the zero page where it was read before. It is kept only while delay accounting is on, for tasks
that began since then (Documentation/accounting/delay-accounting.rst; offsets: include/uapi/linux/taskstats.h,
version 13).
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from cowbench.errors import KernelError

SWITCH = Path("/proc/sys/kernel/task_delayacct")

_GENERIC = 16  # NETLINK_GENERIC
_CONTROL, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 3, 1, 2
_GET, _OF_PROCESS, _REGISTER, _DEREGISTER = 1, 2, 3, 4
_STATS, _AGGREGATES = 3, (4, 5)
_ERROR = 2  # NLMSG_ERROR
_HEADER = struct.Struct("=LHHLL")
_GROUP, _COPIES, _LEAST = 368, 400, 408  # ac_tgid, wpcopy_count, bytes of a struct that has it


def missing() -> str:
    """Return in words why there are no counts, or "" if there are."""
    try:
        on = SWITCH.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return "this kernel has no delay accounting"
    if os.geteuid():
        return "taskstats needs root"
    return "" if on else "delay accounting is off; turn it on with: sysctl kernel.task_delayacct=1"


def copies(pid: int) -> int:
    """Return the count of a living process, all its threads since they began. Raises KernelError if there is none."""
    stats = Taskstats()
    try:
        return stats.copies(pid)
    finally:
        stats.close()


class Taskstats:
    """A socket to the kernel's taskstats. Raises KernelError if it has none."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _GENERIC)
        self._socket.bind((0, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        names = self._ask(_CONTROL, _GET_FAMILY, _attribute(_FAMILY_NAME, b"TASKSTATS\0"))
        self._family = struct.unpack("=H", _attributes(names)[_FAMILY_ID])[0]

    def copies(self, pid: int) -> int:
        """Return the count of a living process, all its threads since they began."""
        found = _counts(self._ask(self._family, _GET, _attribute(_OF_PROCESS, struct.pack("=L", pid))))
        if found is None:
            raise KernelError("taskstats of this kernel have no wpcopy_count (6.0 and later have)")
        return found[1]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def listen(self, on: bool) -> None:
        """Have the kernel send the counts of every task that exits, or no more."""
        cpus = f"0-{(os.cpu_count() or 1) - 1}\0".encode()
        self._ask(self._family, _GET, _attribute(_REGISTER if on else _DEREGISTER, cpus), reply=False)

    def exits(self) -> tuple[int, int] | None:
        """Wait up to 0.2 s for the exit of a task: its process and its count; None if there was none."""
        self._socket.settimeout(0.2)
        try:
            message = self._socket.recv(1 << 16)
        except TimeoutError:
            return None
        return _counts(message[_HEADER.size + 4 :])

    def _ask(self, family: int, command: int, attributes: bytes, reply: bool = True) -> bytes:
        """Send a request and return the attributes of the answer."""
        body = struct.pack("=BBxx", command, 1) + attributes
        flags = 1 if reply else 1 | 4  # NLM_F_REQUEST, NLM_F_ACK
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), family, flags, 1, 0) + body)
        answer = self._socket.recv(1 << 16)
        if _HEADER.unpack_from(answer)[1] == _ERROR:
            code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
            if code:
                raise KernelError(f"taskstats: {os.strerror(code)}; it needs root and a kernel with CONFIG_TASKSTATS")
        return answer[_HEADER.size + 4 :]


class Exits:
    """Sums the counts of all processes that exit inside a `with` block."""

    def __init__(self) -> None:
        self._stats, self._over = Taskstats(), threading.Event()
        self._thread = threading.Thread(target=self._collect)
        self.copies: Counter[int] = Counter()

    def __enter__(self) -> Self:
        self._stats.listen(True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._stats.close()  # ends the subscription, too

    def _collect(self) -> None:
        while True:
            over = self._over.is_set()
            found = self._stats.exits()
            if found is not None:
                self.copies[found[0]] += found[1]
            elif over:
                return


def _attribute(kind: int, contents: bytes) -> bytes:
    size = 4 + len(contents)
    return struct.pack("=HH", size, kind) + contents + b"\0" * (-size % 4)


def _attributes(contents: bytes) -> dict[int, bytes]:
    found = {}
    while len(contents) >= 4:
        size, kind = struct.unpack_from("=HH", contents)
        if size < 4:
            break
        found[kind] = contents[4:size]
        contents = contents[(size + 3) & ~3 :]
    return found


def _counts(contents: bytes) -> tuple[int, int] | None:
    """Return process and count of the first task, or None where there is none."""
    for kind, aggregate in _attributes(contents).items():
        stats = _attributes(aggregate).get(_STATS, b"") if kind in _AGGREGATES else b""
        if len(stats) >= _LEAST:
            return struct.unpack_from("=L", stats, _GROUP)[0], struct.unpack_from("=Q", stats, _COPIES)[0]
    return None
