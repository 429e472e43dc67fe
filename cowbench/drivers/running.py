"""What the drivers of real programs share: starting one, recorded or not, and never leaving one behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cowbench.errors import KernelError

PATIENCE_S = 120.0
"""How long a program may take to start or to end."""


@dataclass(frozen=True)
class Load:
    """How big and how long a run is.

    size: number of objects (keys, list elements, articles, rows in hundreds) that the program holds.
    seconds: about how long it is driven. seed: of everything that is drawn. file: the recording to make; None: the
    program runs unrecorded. interval_ms: its resolution.
    """

    size: int
    seconds: float
    seed: int = 0
    file: Path | None = None
    interval_ms: float = 10.0


@dataclass(frozen=True)
class Save:
    """What was counted while a program saved a snapshot through a child.

    asked, rate: writes a second that were asked for, and that were done while the child lived. cow_bytes: memory of the
    child's own when it ended; peak_bytes: the most before; fork_us: time of the fork: all as the program says. wpcopy:
    pages that the kernel copied for the parent while the child lived, None if it does not count.
    """

    asked: float
    rate: float
    cow_bytes: int
    peak_bytes: int
    fork_us: int
    wpcopy: int | None


@dataclass(frozen=True)
class Counted:
    """What a driven run gave.

    operations, seconds: what clients got done who asked as fast as they could, and how long that took them. saves: of
    the program's own counters, if it has any.
    """

    operations: int
    seconds: float
    saves: tuple[Save, ...] = ()

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.operations / self.seconds


def tool(name: str, package: str, *folders: str) -> str:
    """Return the path of a program. Raises KernelError naming the Debian package that has it."""
    found = shutil.which(name, path=os.pathsep.join((*folders, os.environ.get("PATH", ""))))
    if found is None:
        raise KernelError(f"no {name}: install the package {package}")
    return found


def free_port() -> int:
    """Return a TCP port of this host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def command(words: Sequence[str], load: Load) -> list[str]:
    """Return the command that runs `words`, recorded if the load names a file."""
    if load.file is None:
        return list(words)
    settings = ["--output", str(load.file), "--interval", f"{load.interval_ms:g}"]
    return [sys.executable, "-m", "cowbench", "record", *settings, "--", *words]


@contextmanager
def server(
    words: Sequence[str], load: Load, pid_file: Path, end: signal.Signals, ready: Callable[[], bool]
) -> Iterator[int]:
    """Run a server that writes its process number to `pid_file`, and yield that number once it is `ready`.

    It is told to end by signal `end`, alone: what records it has to end by itself. Raises KernelError with the last
    line that it printed if it does not start, or if it or its recorder fails.
    """
    log = pid_file.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen(command(words, load), stdout=out, stderr=out, start_new_session=True)
    try:
        _wait(process, ready, log)
        yield int(pid_file.read_text(encoding="ascii").split()[0])
    finally:
        _end(process, pid_file, end)
    if process.returncode:
        raise KernelError(f"{words[0]} failed (exit code {process.returncode}): {_last_line(log)}")


def children(pid: int) -> list[int]:
    """Return the processes that one of one thread has forked and that are there still."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            raise KernelError(f"{process.args[-1]!s} did not start: {_last_line(log)}")  # type: ignore[index]
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes], pid_file: Path, end: signal.Signals) -> None:
    """Have the server end; kill its session, recorder and all, if it does not."""
    started = pid_file.exists()
    if started and process.poll() is None:
        with suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text(encoding="ascii").split()[0]), end)
    try:
        process.wait(PATIENCE_S if started else 1)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
