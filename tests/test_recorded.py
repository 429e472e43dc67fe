"""What a recording shows: numbers known by hand, curves and pictures against counting, the same bytes each time."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cowbench.cli import cli, record_summary
from cowbench.errors import CowbenchError, ProgramError
from cowbench.machine import MachineConfig, Process, Reference
from cowbench.operations import (
    DeviceRead,
    DeviceWrite,
    Discard,
    Exec,
    Exit,
    Fork,
    Get,
    Operation,
    Pin,
    Read,
    Release,
    Spawn,
    Write,
)
from cowbench.recorded.heat import heat, table
from cowbench.recorded.summary import Life, References
from cowbench.recorded.watch import summarize
from cowbench.recorded.working_set import WorkingSet
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
)
from tests.made_recording import Store, make

FACTS = Facts(("/usr/bin/redis-server", "--save", ""), "6.18.5", 10, "userfaultfd", "2026-01-02T03:04:05+00:00")
P0, P1, P2 = Process(0), Process(1), Process(2)
LINES: tuple[Operation | Note, ...] = (
    Spawn(),
    Program(0, 4711, "/usr/bin/redis-server"),
    Addresses(0, (0x7F00, 0x1200)),
    Write(P0, range(20)),
    Time(10),
    Fork(P0),
    Program(1, 4712, "/usr/bin/redis-server"),
    Time(20),
    Write(P0, np.array([1, 2, 3, 30])),  # 30 is new: not shared
    Write(P1, np.array([4])),
    Time(30),
    Write(P0, np.array([3, 4, 30])),  # 3 is its own by now
    Discard(P0, np.array([5, 6])),
    Time(40),
    Write(P0, range(5, 8)),  # 5 and 6 were handed back: new pages
    Fork(P0),
    Time(50),
    Exit(P1),
    Write(P0, np.array([9])),
    Time(60),
    Exec(P2),
    Write(P0, np.array([10])),
    Pin(P0, range(4), longterm=True),
    Get(P0, range(8), write=True),
    Read(P0, range(3)),
    Time(70),
    DeviceWrite(Reference(0)),
    DeviceRead(Reference(1)),
    DeviceWrite(Reference(1)),
    Release(Reference(1)),
    Frames(0, 1, 20, 5),
    Frames(1, 1, 20, 1),
    Counter("rdb_last_cow_size", 12288, "bytes"),
    Missed("pages of file mappings", 7),
    Missed("pages of file mappings", 2),
    Overhead(1.5, 2500, 20, 800.0),
    End(80, "all processes ended", 0),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "recording.jsonl.gz", LINES)


def write(path: Path, lines: Sequence[Operation | Note]) -> Path:
    writer = RecordingWriter(path, MachineConfig(), FACTS)
    for line in lines:
        if isinstance(line, Note):
            writer.note(line)
        else:
            writer.operation(line)
    writer.close()
    return path


def test_written_shares_count_pages_shared_at_the_fork_and_not_handed_back(path: Path) -> None:
    first, second = summarize(path).lives
    assert first == Life(0, 1, 10, 20, until=50, ending="exit", by_parent=5, by_child=1, own=0)  # 1, 2, 3, 4, 7
    assert second == Life(0, 2, 40, 21, until=60, ending="exec", by_parent=1, by_child=0)


def test_processes_references_and_the_rest_are_counted(path: Path) -> None:
    found = summarize(path)
    assert [(seen.pid, seen.parent, seen.born, seen.ended, seen.page_writes) for seen in found.processes] == [
        (4711, None, 0, None, 32),
        (4712, 0, 10, 50, 1),
        (None, 0, 40, None, 0),
    ]
    assert found.references == {
        "long-term pin": References(1, 4, 0, 0, 4, device_writes=1),
        "get": References(1, 8, 1, 10, 8, device_writes=1, device_reads=1),
    }
    assert found.largest == 62  # 21 of the first, 20 and 21 of its children
    assert found.missed == {"pages of file mappings": 9}
    assert (found.ms, found.end) == (80, End(80, "all processes ended", 0))
    assert (found.operations["write"], found.pages["write"], found.pages["device_write"]) == (7, 33, 12)


def test_the_working_set_curve_is_the_mean_over_all_moments() -> None:
    rng = np.random.default_rng(5)
    writes = [(process, np.unique(rng.integers(30, size=4)), at) for at in range(1, 90) for process in (0, 1)]
    found = WorkingSet(10)
    for process, pages, at in writes:
        if process == 0 or at < 60:
            found.write(process, pages, 10 * at)
        if (process, at) == (1, 60):
            found.forget(1, 600)
    found.finish(1000)
    for window in (1, 2, 7, 30, 100):
        seen = 0
        for moment in range(1, 101):  # the interval that ends there
            inside = {
                (process, page)
                for process, pages, at in writes
                for page in pages.tolist()
                if at <= moment - 1 < at + window and (process == 0 or (at < 60 and moment <= 60))
            }
            seen += len(inside)
        assert found.pages(np.array([window]))[0] == pytest.approx(seen / 100)
    windows = [ms for ms, _ in found.curve()]
    assert windows == [10, 20, 40, 80, 160, 320, 640, 1000]


def test_the_picture_counts_every_write_where_and_when_it_was(path: Path) -> None:
    summary = summarize(path)
    map_ = heat(path, summary)
    assert map_.counts.shape == (2, 8)
    assert map_.starts == [(0, 0x1200), (1, 0x7F00)]
    assert map_.counts[0].tolist() == [4, 1, 1, 0, 0, 0, 0, 0]  # pages 16 and up are at the lower address
    assert map_.counts[1].tolist() == [16, 4, 2, 3, 1, 1, 0, 0]
    rows = list(csv.DictReader(table(map_).contents.decode().splitlines()))
    assert sum(int(row["page_writes"]) for row in rows) == map_.counts.sum() == 33
    assert rows[1] == {"seconds": "0.01", "row": "0", "page_writes": "1"}


def test_the_picture_of_a_long_recording_is_no_larger(tmp_path: Path) -> None:
    make(tmp_path / "long", Store(pages=8000, seconds=60, written=20))
    summary = summarize(tmp_path / "long")
    map_ = heat(tmp_path / "long", summary)
    assert map_.counts.shape == (167, 240)
    assert (map_.ms, map_.chunks) == (250, 3)
    assert map_.counts.sum() == sum(seen.page_writes for seen in summary.processes)
    assert map_.counts[:, 1:].any(axis=0).all()


def test_chunks_whose_address_is_not_known_follow_the_others(tmp_path: Path) -> None:
    some = [Addresses(0, (0x7F00,)) if isinstance(line, Addresses) else line for line in LINES]
    path = write(tmp_path / "recording", some)
    map_ = heat(path, summarize(path))
    assert map_.starts == [(0, 0x7F00)]
    assert map_.counts.sum(axis=1).tolist() == [27, 6]


def test_without_addresses_chunks_are_shown_by_number(tmp_path: Path) -> None:
    path = write(tmp_path / "recording", [line for line in LINES if not isinstance(line, Addresses)])
    map_ = heat(path, summarize(path))
    assert map_.starts == [(0, 0)]
    assert map_.counts.sum(axis=1).tolist() == [27, 6]


def test_the_same_recording_gives_the_same_page_and_picture(path: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        record_summary.show(path, tmp_path / name)
    for file in ("index.html", "writes.png"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    page = (tmp_path / "first" / "index.html").read_text()
    assert "Recording of redis-server" in page
    assert "0x12000000" in page


def test_the_terminal_says_it_in_words(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record_summary.show(path, None)
    said = capsys.readouterr().out
    assert "program: /usr/bin/redis-server --save ''" in said
    assert "missed: 9 pages of file mappings" in said
    assert "length: 80 ms, until all processes ended; exit status 0" in said
    assert "frames changed: 6 of 40 pages had another frame" in said
    assert "rdb_last_cow_size: 12,288 bytes" in said
    assert "redis-server 4711 forked 2 times; a child shared memory for 30 ms (median)" in said
    assert "Of 41 shared pages it wrote 14.6% meanwhile, its children 2.4%" in said
    assert "redis-server 4712\tredis-server 4711\t10 ms\t40 ms\texit\t20\t5 (25.0%)\t1 (5.0%)" in said
    assert "long-term pin\t1\t4\t4\tto the end\t1\t0" in said
    assert "20 more faults of 800 ns; memory was looked at for 2.5 s" in said
    assert "Reads were not seen" not in said


def test_a_program_that_does_nothing_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "recording", [Spawn(), End(0, "all processes ended", 0)])
    record_summary.show(path, tmp_path / "out")
    said = capsys.readouterr().out
    assert "Nothing was forked" in said
    assert "Reads were not seen" in said


def test_a_cut_recording_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "recording", LINES[:9])
    assert summarize(path).end == Cut(20)
    record_summary.show(path, None)
    assert "recording: cut short after 0.02 s; all up to there is shown" in capsys.readouterr().err


@pytest.mark.parametrize("line", [Write(P2, range(3)), Release(Reference(4)), Exit(Process(3)), Program(9, 1, "x")])
def test_what_is_not_there_is_named(tmp_path: Path, line: Operation | Note) -> None:
    path = write(tmp_path / "recording", [Spawn(), line])
    with pytest.raises(ProgramError, match="names a process or reference that is not there"):
        summarize(path)


def test_a_folder_that_cannot_be_written_is_named(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CowbenchError, match="cannot be written"):
        record_summary.show(path, tmp_path / "file")


def test_the_command_shows_a_recording_or_makes_one(path: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli, ["record", "--summary", str(path), "--output", str(tmp_path / "out")])
    assert shown.exit_code == 0
    assert "forked 2 times" in shown.output
    assert (tmp_path / "out" / "index.html").is_file()
    for words in (["--summary", str(path), "true"], ["--output", "x"], ["true"]):
        refused = CliRunner().invoke(cli, ["record", *words])
        assert refused.exit_code == 2
        assert "--summary" in refused.output
