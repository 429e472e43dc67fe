"""postgres_backends: PostgreSQL forks a backend for each of 20 clients; the control, for its pages are shared memory.

Asked for: a new cluster with pgbench's tables of `size` times 100,000 rows (made unrecorded), then pgbench with 20
clients that send its standard transactions, A_SECOND times `seconds` each.
Counted: nothing by the program itself; operations are transactions.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cowbench.drivers.running import Counted, Load, free_port, server, tool
from cowbench.errors import KernelError

CLIENTS = 20
A_SECOND = 15
"""Transactions of each client for each second that is asked for: about what two CPUs do."""
DEFAULT = Load(size=1, seconds=10.0)
USER = "postgres"
_USER_WORDS = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "env", "--chdir=/")
"""Becomes the user, in a folder that he can read."""


def run(load: Load) -> Counted:
    """Drive a server as told. Raises KernelError, also without PostgreSQL, root or user postgres."""
    binaries = _binaries()
    if os.geteuid():
        raise KernelError(f"postgres_backends needs root, to become user {USER}")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cowbench-postgres-") as name:
        folder = Path(name)
        _give(folder)
        _as_user(binaries / "initdb", "-D", folder / "data", "--auth=trust", "--no-sync")
        with _running(binaries, folder, port, replace(load, file=None)):
            _as_user(binaries / "pgbench", *_where(folder, port), "-i", "-q", "-s", load.size, "postgres")
        with _running(binaries, folder, port, load):
            said = _as_user(binaries / "pgbench", *_where(folder, port), *_transactions(load), "postgres")
    done, rate = re.search(r"processed: (\d+)", said), re.search(r"tps = ([\d.]+)", said)
    if not done or not rate:
        raise KernelError(f"pgbench: {said.strip().splitlines()[-1]}")
    return Counted(int(done[1]), int(done[1]) / float(rate[1]))


def _binaries() -> Path:
    """Return the folder of the newest PostgreSQL's programs, which Debian keeps out of the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    return Path(tool("initdb", "postgresql", *map(str, reversed(folders)))).parent


@contextmanager
def _running(binaries: Path, folder: Path, port: int, load: Load) -> Iterator[None]:
    settings = [f"port={port}", f"unix_socket_directories={folder}", "listen_addresses=", "huge_pages=off"]
    words = [*_USER_WORDS, str(binaries / "postgres"), "-D", str(folder / "data")]
    words += [word for setting in settings for word in ("-c", setting)]
    ready = [str(binaries / "pg_isready"), *_where(folder, port), "-q"]
    pid_file = folder / "data" / "postmaster.pid"
    with server(words, load, pid_file, signal.SIGINT, lambda: not subprocess.run(ready, check=False).returncode):
        yield


def _where(folder: Path, port: int) -> list[str]:
    return ["-h", str(folder), "-p", str(port)]


def _transactions(load: Load) -> list[str]:
    each = max(1, round(load.seconds * A_SECOND))
    return ["-c", str(CLIENTS), "-j", "2", "-t", str(each), f"--random-seed={load.seed}"]


def _as_user(*words: object) -> str:
    """Run a program as the user and return what it printed."""
    done = subprocess.run([*_USER_WORDS, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"{words[0]} failed: {(done.stderr.strip() or 'it printed nothing').splitlines()[-1]}")
    return done.stdout


def _give(folder: Path) -> None:
    try:
        shutil.chown(folder, USER)
    except LookupError:
        raise KernelError(f"no user {USER}: install the package postgresql") from None
