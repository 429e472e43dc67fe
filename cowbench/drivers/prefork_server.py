"""prefork_server: gunicorn loads an application once and forks its workers, which then touch what they share.

Asked for: `size` articles in memory, WORKERS workers, each replaced after RECYCLED requests, and CLIENTS clients that
ask for 50 articles drawn with the seed of the request, flat out, for `seconds`.
Counted: nothing by the program itself; operations are requests answered.
"""

from __future__ import annotations

import http.client
import re
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from cowbench.drivers.running import PATIENCE_S, Counted, Load, children, free_port, server, tool

WORKERS, RECYCLED, CLIENTS = 4, 200, 4
DEFAULT = Load(size=100_000, seconds=10.0)


def run(load: Load) -> Counted:
    """Drive a server as told. Raises KernelError, also without gunicorn."""
    program, port = tool("gunicorn", "gunicorn"), free_port()
    with tempfile.TemporaryDirectory(prefix="cowbench-web-") as name:
        pid_file = Path(name) / "web.pid"
        words = [program, *_settings(load, port, pid_file)]
        with server(words, load, pid_file, signal.SIGTERM, lambda: _answers(port)) as pid:
            counted = _drive(port, load)
            _calm(pid)
            return counted


def _settings(load: Load, port: int, pid_file: Path) -> list[str]:
    return [
        "--preload",
        *("--bind", f"127.0.0.1:{port}"),
        *("--workers", str(WORKERS)),
        *("--max-requests", str(RECYCLED)),
        *("--pid", str(pid_file)),
        *("--env", f"COWBENCH_ITEMS={load.size}"),
        *("--chdir", str(Path(__file__).with_name("targets"))),
        "app:application",
    ]


def _answers(port: int) -> bool:
    try:
        return _ask(port, "/0")
    except OSError:
        return False


def _drive(port: int, load: Load) -> Counted:
    begun = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        done = clients.map(lambda n: _client(port, n, load.seed, begun + load.seconds), range(CLIENTS))
        return Counted(sum(done), time.monotonic() - begun)


def _calm(pid: int) -> None:
    """Wait until no worker is being replaced: one that is told to end while it does would be killed by that."""
    until, calm = time.monotonic() + PATIENCE_S, 0
    while calm < 3 and time.monotonic() < until:
        time.sleep(0.1)
        calm = calm + 1 if all(map(_heeds, children(pid))) else 0


def _heeds(pid: int) -> bool:
    """Return whether a process handles SIGTERM, which an interpreter on its way out does no more."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return False
    caught = int(re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def _client(port: int, client: int, seed: int, until: float) -> int:
    """Ask until a time, and return how many requests were answered."""
    for number in count():
        if time.monotonic() > until:
            return number
        _ask(port, f"/{seed}-{client}-{number}")
    raise AssertionError


def _ask(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    finally:
        connection.close()
