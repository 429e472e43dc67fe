"""Real programs are driven as told, counted, and never left behind; what is missing is named with its package."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import sys
import tempfile
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from cowbench.drivers import outcome, postgres_backends, prefork_server, python_pool, redis_bgsave, taskstats
from cowbench.drivers.running import Load, command, server
from cowbench.errors import KernelError, ParameterError

TINY = Load(size=2_000, seconds=1.5)


def needed(tool: str, package: str) -> None:
    """Skip a test whose program is not installed; continuous integration installs it."""
    if "CI" not in os.environ and shutil.which(tool) is None:
        pytest.skip(f"no {tool}; install the package {package}")


def test_redis_saves_once_at_each_rate() -> None:
    needed("redis-server", "redis-server")
    counted = redis_bgsave.run(TINY)
    assert [save.asked for save in counted.saves] == [1_000.0, 5_000.0, inf]
    for save in counted.saves[:2]:
        assert save.rate <= save.asked * 1.05 + 20 / 0.3  # a packet at the end of a save of 0.3 s
    assert all(save.cow_bytes > 0 and save.fork_us > 0 for save in counted.saves)
    assert 0 < counted.operations == pytest.approx(counted.rate * counted.seconds)


def test_a_pool_reads_every_second_object_each_round() -> None:
    assert python_pool.run(replace(TINY, seconds=2.0)).operations == 2 * 1_000


def test_a_web_server_answers() -> None:
    needed("gunicorn", "gunicorn")
    assert prefork_server.run(replace(TINY, seconds=1.0)).operations > 10


def test_a_database_answers_and_its_cluster_is_gone_then() -> None:
    if "CI" not in os.environ and (os.geteuid() or not list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))):
        pytest.skip("needs root and the package postgresql")
    before = set(Path(tempfile.gettempdir()).glob("cowbench-postgres-*"))
    assert postgres_backends.run(replace(TINY, size=1, seconds=1.0)).operations > 10
    assert set(Path(tempfile.gettempdir()).glob("cowbench-postgres-*")) == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("redis_bgsave", "no redis-server: install the package redis-server"),
        ("prefork_server", "no gunicorn: install the package gunicorn"),
    ],
)
def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, name: str, words: str) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    driver = outcome.driver(name)
    with pytest.raises(KernelError, match=words):
        driver.run(driver.usual)


def test_an_unknown_program_is_named() -> None:
    with pytest.raises(ParameterError, match="no program 'redis': known: postgres_backends, "):
        outcome.driver("redis")


def test_a_server_that_does_not_start_is_told_of_in_its_own_words(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "raise SystemExit('no room here')"]
    with (
        pytest.raises(KernelError, match="did not start: no room here"),
        server(words, TINY, tmp_path / "pid", signal.SIGTERM, lambda: False),
    ):
        pass


SLEEPER = """if True:
    import os, pathlib, signal, sys, time
    def end(*_): pathlib.Path(sys.argv[1]).with_suffix(".told").touch(); sys.exit()
    signal.signal(signal.SIGTERM, end)
    pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(600)
"""


def test_a_server_is_told_to_end_when_its_driver_fails(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    words = [sys.executable, "-c", SLEEPER, str(pid_file)]
    with (
        pytest.raises(ZeroDivisionError),
        server(words, TINY, pid_file, signal.SIGTERM, lambda: pid_file.exists() and bool(pid_file.read_text())) as pid,
    ):
        _ = 1 // 0
    assert pid_file.with_suffix(".told").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_recorded_program_is_the_recorders_argument(tmp_path: Path) -> None:
    file = tmp_path / "made.jsonl.gz"
    assert command(["redis-server", "--port", "1"], TINY) == ["redis-server", "--port", "1"]
    recorded = command(["redis-server"], replace(TINY, file=file, interval_ms=2.5))
    settings = ["--output", str(file), "--interval", "2.5"]
    assert recorded[1:] == ["-m", "cowbench", "record", *settings, "--", "redis-server"]


def attribute(kind: int, contents: bytes) -> bytes:
    size = 4 + len(contents)
    return struct.pack("=HH", size, kind) + contents + b"\0" * (-size % 4)


def test_counts_are_found_in_what_the_kernel_sends() -> None:
    """As include/uapi/linux/taskstats.h lays it out: AGGR_PID (4) with PID (1) and STATS (3)."""
    stats = bytearray(560)
    struct.pack_into("=L", stats, 368, 4711)
    struct.pack_into("=Q", stats, 400, 1 << 33)
    aggregate = attribute(4, attribute(1, struct.pack("=L", 4712)) + attribute(3, bytes(stats)))
    assert taskstats._counts(attribute(6, b"") + aggregate) == (4711, 1 << 33)
    old = attribute(4, attribute(3, bytes(400)))  # version 12, without counts
    assert taskstats._counts(old) is None


def test_the_kernel_counts_the_copies_of_a_child() -> None:
    if why := taskstats.missing():
        pytest.skip(why)
    with taskstats.Exits() as exits:
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", COPIES], {})
        os.waitpid(pid, 0)
    assert 1000 <= exits.copies[pid] < 2000


COPIES = """if True:
    import mmap, os, time
    memory = mmap.mmap(-1, 4096 * 1000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(1000): memory[4096 * page] = 1
    child = os.fork()
    if not child: time.sleep(1); os._exit(0)
    for page in range(1000): memory[4096 * page] = 2
    os.waitpid(child, 0)
"""
