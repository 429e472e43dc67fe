"""redis_bgsave: a Redis server is written to at three rates, and saves a snapshot through a forked child at each.

Asked for: `size` keys of 500 bytes, then, for a third of `seconds` each, SETs of keys drawn uniformly at RATES a
second. A BGSAVE begins with each third and goes on, slowed down by rdb-key-save-delay as by a disk, for most of it.
Counted: a Save a BGSAVE, from rdb_last_cow_size, current_cow_peak, latest_fork_usec and taskstats. Operations are the
SETs of the last rate.
"""

from __future__ import annotations

import signal
import tempfile
import time
from math import inf
from pathlib import Path

import numpy as np

from cowbench.drivers import taskstats
from cowbench.drivers.resp import Client
from cowbench.drivers.running import Counted, Load, Save, free_port, server, tool
from cowbench.errors import KernelError

RATES = (1_000.0, 5_000.0, inf)
"""SETs a second; the last are as many as go through one connection."""
VALUE_BYTES = 500
DEFAULT = Load(size=100_000, seconds=20.0)

_SLEEP_US = 60
"""About what the shortest sleep of a process takes: the child sleeps so long every few keys."""
_PACKET = 20
"""SETs sent together."""
_VALUE = b"v" * VALUE_BYTES


def run(load: Load) -> Counted:
    """Drive a server as told. Raises KernelError, also without redis-server."""
    program = tool("redis-server", "redis-server")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cowbench-redis-") as name:
        pid_file = Path(name) / "redis.pid"
        words = [program, *_settings(load, port, pid_file)]
        with server(words, load, pid_file, signal.SIGTERM, lambda: _answers(port)) as pid, Client(port) as client:
            client.ask("DEBUG", "POPULATE", str(load.size), "key", str(VALUE_BYTES))
            return _drive(client, load, pid)


def _settings(load: Load, port: int, pid_file: Path) -> list[str]:
    life_us = 0.7 * load.seconds / len(RATES) * 1e6
    keys_a_sleep = max(1, round(load.size * _SLEEP_US / life_us))
    settings = {
        "port": port,
        "bind": "127.0.0.1",
        "dir": pid_file.parent,
        "pidfile": pid_file,
        "save": "",
        "appendonly": "no",
        "enable-debug-command": "local",
        "rdb-key-save-delay": -keys_a_sleep,  # negative: sleep 1 us every so many keys
    }
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def _answers(port: int) -> bool:
    try:
        with Client(port) as client:
            return client.ask("PING") == b"PONG"
    except (OSError, KernelError):
        return False


def _drive(client: Client, load: Load, pid: int) -> Counted:
    writer = _Writer(client, load)
    begun, saves = time.monotonic(), []
    for asked in RATES:
        written, last = writer.written, time.monotonic()
        saves.append(_save(writer, asked, pid))
        writer.write(asked, begun + load.seconds * len(saves) / len(RATES))
    return Counted(writer.written - written, time.monotonic() - last, tuple(saves))


def _save(writer: _Writer, asked: float, pid: int) -> Save:
    """Save once, with SETs going on until the child has ended, and return what was counted."""
    client, counts = writer.client, not taskstats.missing()
    before = taskstats.copies(pid) if counts else 0
    written, begun, peak = writer.written, time.monotonic(), 0
    client.ask("BGSAVE")
    while (info := client.info("persistence"))["rdb_bgsave_in_progress"] == "1":
        peak = int(info["current_cow_peak"])
        writer.write(asked, time.monotonic() + 0.05)
    copied = taskstats.copies(pid) - before if counts else None
    if info["rdb_last_bgsave_status"] != "ok":
        raise KernelError("BGSAVE failed; is the folder for temporary files full?")
    rate = (writer.written - written) / (time.monotonic() - begun)
    fork_us = int(client.info("stats")["latest_fork_usec"])
    return Save(asked, rate, int(info["rdb_last_cow_size"]), peak, fork_us, copied)


class _Writer:
    """Sends SETs of keys drawn uniformly, all of one size."""

    def __init__(self, client: Client, load: Load) -> None:
        self.client, self.written = client, 0
        self._keys, self._rng = load.size, np.random.default_rng(load.seed)

    def write(self, rate: float, until: float) -> None:
        """Send packets of SETs, `rate` a second, up to the time `until`; at least one packet."""
        begun, sent = time.monotonic(), 0
        while not sent or time.monotonic() < until:
            keys = self._rng.integers(self._keys, size=_PACKET).tolist()
            self.client.ask_all([("SET", f"key:{key}", _VALUE) for key in keys])
            sent += _PACKET
            time.sleep(max(0.0, begun + sent / rate - time.monotonic()))
        self.written += sent
