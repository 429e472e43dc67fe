"""Recordings: facts and notes come back, a cut one is read up to its last line, one that is none is refused."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cowbench import costs, plugins, spec, trial
from cowbench.cli import cli
from cowbench.errors import ProgramError
from cowbench.machine import MachineConfig, Process
from cowbench.operations import Exit, Fork, Operation, Spawn, Write, encode
from cowbench.program_file import read_header, read_operations, replay_file, write_program
from cowbench.recording import (
    Addresses,
    Counter,
    Cut,
    End,
    Facts,
    Frames,
    Missed,
    Note,
    Overhead,
    Program,
    RecordingWriter,
    Time,
    cut_short,
    read_facts,
    read_lines,
)
from cowbench.simulated import SimulatedMachine
from tests.made_recording import Store, make

PROFILE = costs.read_profile()
FACTS = Facts(("redis-server", "--port", "0"), "6.18.5", 10, "userfaultfd", "2026-01-02T03:04:05+00:00")
LINES: tuple[Operation | Note, ...] = (
    Spawn(),
    Program(0, 4711, "/usr/bin/redis-server"),
    Time(10),
    Addresses(0, (0x7F00000, 0x7F00003)),
    Write(Process(0), range(20)),
    Time(20),
    Fork(Process(0)),
    Write(Process(0), np.array([3, 4, 9])),
    Time(30.5),
    Exit(Process(1)),
    Frames(0, 1, 20, 3),
    Counter("rdb_last_cow_size", 12288, "bytes"),
    Missed("pages of file mappings", 7),
    Overhead(1.5, 2.5, 20, 800.0),
    End(31, "all processes ended", 0),
)


def write(path: Path, lines: Sequence[Operation | Note] = LINES) -> None:
    writer = RecordingWriter(path, MachineConfig(), FACTS)
    for line in lines:
        if isinstance(line, Time):
            writer.flush()
            writer.time(line.ms)
        elif isinstance(line, Note):
            writer.note(line)
        else:
            writer.operation(line)
    writer.close()


def plain(line: Operation | Note) -> object:
    return encode(line) if isinstance(line, Operation) else line


@pytest.mark.parametrize("name", ["recording.jsonl", "recording.jsonl.gz"])
def test_facts_operations_and_notes_come_back(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    assert read_facts(tmp_path / name) == FACTS
    assert read_header(tmp_path / name) == MachineConfig()
    assert [plain(line) for line in read_lines(tmp_path / name)] == [plain(line) for line in LINES]
    replayed = [encode(line) for line in LINES if isinstance(line, Operation)]
    assert [encode(operation) for operation in read_operations(tmp_path / name)] == replayed


@pytest.mark.parametrize("name", ["recording.jsonl", "recording.jsonl.gz"])
def test_a_recording_cut_at_any_byte_is_read_up_to_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write(path)
    whole, expected, longest = path.read_bytes(), [plain(line) for line in LINES], 0
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            *lines, last = read_lines(path)
        except ProgramError:
            assert longest == 0  # only before the first line
            continue
        found = [plain(line) for line in lines]
        if isinstance(last, End):
            assert [*found, last] == expected
        else:
            times = [line.ms for line in lines if isinstance(line, Time)]
            assert last == Cut(times[-1] if times else 0)
            assert found == expected[: len(found)]
        assert len(found) >= longest
        longest = len(found)
        assert len(list(read_operations(path))) == sum(isinstance(line, Operation) for line in lines)
    assert longest == len(LINES) - 1


def test_what_was_flushed_can_be_read_while_the_recorder_lives(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl.gz"
    writer = RecordingWriter(path, MachineConfig(), FACTS)
    writer.operation(Spawn())
    writer.time(10)
    writer.flush()
    writer.operation(Exit(Process(0)))
    assert [plain(line) for line in read_lines(path)] == [{"op": "spawn"}, Time(10), Cut(10)]
    assert Cut(12345).words == "cut short after 12.345 s"
    writer.close()


def test_a_cut_elsewhere_than_at_the_end_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl"
    write(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], lines[4][:10], *lines[5:]]) + "\n")
    with pytest.raises(ProgramError, match=r"recording\.jsonl:5: not an operation"):
        list(read_lines(path))
    with pytest.raises(ProgramError, match=r"recording\.jsonl:5: not an operation"):
        list(read_operations(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recorded": None}, "a program file, but no recording"),
        ({"recorded": {}}, "1: bad facts"),
        ({"recorded": 7}, "1: bad facts"),
        ({"way": "guess"}, "1: bad facts.*unknown way"),
        ({"interval_ms": 0}, "1: bad facts.*must be above 0"),
        ({"interval_ms": "x"}, "1: bad facts"),
        ({"cowbench_program": 3}, "1: program format 3"),
    ],
)
def test_bad_facts_are_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "recording.jsonl"
    write(path)
    first, *rest = path.read_text().splitlines()
    header = json.loads(first)
    (header if set(change) & set(header) else header["recorded"]).update(change)
    path.write_text("\n".join([json.dumps(header), *rest]) + "\n")
    with pytest.raises(ProgramError, match=message):
        list(read_lines(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"note": "tme", "ms": 3}', "did you mean 'time'"),
        ('{"note": "time"}', "ms"),
        ('{"note": "time", "ms": 3, "x": 1}', "x"),
        ('{"note": ["time"]}', "unhashable"),
    ],
)
def test_bad_notes_are_named_by_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "recording.jsonl"
    write(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]) + "\n")
    with pytest.raises(ProgramError, match=rf"recording\.jsonl:3: not an operation: .*{message}"):
        list(read_lines(path))


def test_a_full_disk_is_named_and_closing_is_quiet_after_it() -> None:
    with pytest.raises(ProgramError, match=r"/dev/full: cannot be written \(No space left"):
        RecordingWriter(Path("/dev/full"), MachineConfig(), FACTS)


def test_recordings_of_any_length_stream_in_and_out(tmp_path: Path) -> None:
    pages = np.arange(0, 1 << 20, 1000)
    path = tmp_path / "recording.jsonl.gz"
    tracemalloc.start()
    writer = RecordingWriter(path, MachineConfig(), FACTS)
    for interval in range(300):
        writer.time(interval)
        writer.operation(Write(Process(0), pages))
        writer.flush()
    writer.close()
    assert sum(isinstance(line, Write) for line in read_lines(path)) == 300
    assert tracemalloc.get_traced_memory()[1] < 1 << 20  # the pages alone are more than twice that
    tracemalloc.stop()


def test_the_same_recording_gives_the_same_row_under_every_policy(tmp_path: Path) -> None:
    make(tmp_path / "store.jsonl.gz", Store(pages=2000, seconds=2, every=1, life=0.4, written=20))
    (tmp_path / "store.jsonl").write_bytes(gzip.decompress((tmp_path / "store.jsonl.gz").read_bytes()))
    for name in plugins.available("policy"):
        rows = [
            trial.measure(spec.parse("policy", name), spec.parse("workload", f"trace:file={path}"), 0, PROFILE)
            for path in (tmp_path / "store.jsonl.gz", tmp_path / "store.jsonl.gz", tmp_path / "store.jsonl")
        ]
        assert json.dumps(rows[0]) == json.dumps(rows[1]) == json.dumps(rows[2])
        assert rows[0]["status"] == "ok"
        assert rows[0]["forks"] == 2


def test_a_replay_is_what_its_operations_do_one_by_one(tmp_path: Path) -> None:
    make(tmp_path / "store.jsonl.gz", Store(pages=2000, seconds=2, every=1, life=0.4, written=20))
    replayed, done = (SimulatedMachine(spec.parse("policy", "page_count").build()) for _ in range(2))
    replay_file(tmp_path / "store.jsonl.gz", replayed)
    for line in read_lines(tmp_path / "store.jsonl.gz"):
        if isinstance(line, Operation):
            line.apply(done)
    assert replayed.ledger == done.ledger
    assert 200 < replayed.ledger.copies["write_fault"] < 2 * 0.4 * 100 * 20


def test_a_replay_says_that_its_recording_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "recording.jsonl.gz"
    write(path, LINES[:6])
    words = ["run", "-p", "anon_exclusive", "-w", f"trace:file={path}", "--store", str(tmp_path / "x.db"), "-j", "1"]
    said = f"{path}: cut short after 0.02 s; all up to there is replayed"
    assert said in CliRunner().invoke(cli, words).output
    assert said in CliRunner().invoke(cli, ["trace", "view", "-p", "mapcount", str(path)]).output
    write(path)
    assert cut_short(path) is None
    assert "cut short" not in CliRunner().invoke(cli, words).output
    write_program(path, MachineConfig(), [Spawn()])
    assert cut_short(path) is None
