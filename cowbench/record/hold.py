"""Holds a process for a moment, unseen by itself and its parent: all its threads stop where they are."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def held(pid: int) -> Iterator[None]:
    """Keep all threads of a process stopped. Raises OSError: it is gone (ESRCH), or somebody traces it (EPERM)."""
    threads: list[int] = []
    try:
        while fresh := [thread for thread in _threads(pid) if thread not in threads]:
            for thread in fresh:
                _stop(thread)
                threads.append(thread)
        yield
    finally:
        for thread in threads:
            _libc.ptrace(_DETACH, thread, None, None)


def _threads(pid: int) -> list[int]:
    return [int(folder.name) for folder in Path(f"/proc/{pid}/task").iterdir()]


def _stop(thread: int) -> None:
    for request in (_SEIZE, _INTERRUPT):
        if _libc.ptrace(request, thread, None, None) < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"thread {thread} cannot be held: {os.strerror(number)}")
    os.waitpid(thread, _WALL)
