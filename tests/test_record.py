"""The recorder: exactly the pages that a program wrote, on the kernel of this host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cowbench.errors import RecordError
from cowbench.operations import Get
from cowbench.record import hold, ways
from cowbench.record.effects import FREED
from cowbench.recording import Cut, End, read_facts
from tests.recordings import NAP, Recording, command, needs_root, record

pytestmark = needs_root


# What processes that share pages do at one moment has no order in a recording, so they take turns here.


def test_each_interval_says_exactly_the_pages_written(tmp_path: Path) -> None:
    seen = record(tmp_path / "a", "w:0:1000", NAP, "w:0:1000:7", NAP, NAP, "w:5:6", "w:4095:4096", "r:2000:3000")
    assert seen.told("write", 0) == [[*range(1000)], [*range(0, 1000, 7)], [5, 4095]]


def test_a_child_has_its_own_writes_and_its_parent_those_before_the_fork(tmp_path: Path) -> None:
    words = ("w:0:100", NAP, "w:3:4", "f", "w:10:12", NAP, "w:3:4", "e", "w:20:40", "j", "w:50:51")
    seen = record(tmp_path / "a", *words)
    assert seen.told("write", 0) == [[*range(100)], [3], [*range(20, 40)], [50]]
    assert seen.told("write", 1) == [[10, 11], [3]]
    order = [(op, process) for op, process, _ in seen.area() if op in ("spawn", "fork", "exit")]
    assert order == [("spawn", -1), ("fork", 0), ("exit", 1), ("exit", 0)]
    steps = list(seen.area())
    assert steps.index(("write", 0, [3])) < steps.index(("fork", 0, [])) < steps.index(("write", 1, [10, 11]))
    assert steps.index(("exit", 1, [])) < steps.index(("write", 0, [50]))


def test_the_model_copies_the_pages_whose_frames_changed(tmp_path: Path) -> None:
    child = ("f", "w:300:310", NAP, "w:0:20", NAP, "e")
    words = ("w:0:1000", NAP, *child, "w:100:400", "s:300", "d:0:50", *child, "w:500:600", "j", "j", "w:0:1000", NAP)
    seen = record(tmp_path / "a", *words)
    frames = seen.frames()
    assert sum(note.changed for note in frames) > 300 + 100
    assert sum(note.changed for note in frames) == sum(note.changed for note in seen.predicted())
    assert [note.present for note in frames] == [note.present for note in seen.predicted()]


def test_a_discard_is_where_it_was_and_pages_written_just_before_it_are_told(tmp_path: Path) -> None:
    words = ("w:0:100", NAP, "w:10:20", "d:0:50", "w:40:41", NAP, "u:60:70", "m:60:70", "w:65:66", NAP)
    seen = record(tmp_path / "a", *words)
    happened = [(op, pages) for op, _, pages in seen.area() if pages]
    assert happened == [
        ("write", [*range(100)]),
        ("write", [*range(10, 20)]),
        ("discard", [*range(50)]),
        ("write", [40]),
        ("discard", [*range(60, 70)]),
        ("write", [65]),
    ]


def test_a_program_that_executes_another_begins_anew(tmp_path: Path) -> None:
    seen = record(tmp_path / "a", "w:0:10", NAP, "w:7:8", "x", "w:100:110", "f", "w:3:4", "x", "w:8:9", "e")
    told = [(op, process, pages) for op, process, pages in seen.area()]
    assert told[:4] == [
        ("spawn", -1, []),
        ("write", 0, [*range(10)]),
        ("write", 0, [7]),
        ("exec", 0, []),
    ]
    assert seen.told("write", 1) == [[3], [8]]
    assert ("exec", 1, []) in told


def test_what_was_written_just_before_it_is_unmapped_is_told(tmp_path: Path) -> None:
    seen = record(tmp_path / "a", "w:0:100", NAP, "w:10:20", "u:0:50", "m:0:50", "w:60:61", "m:60:70", "w:65:66", NAP)
    happened = [(op, pages) for op, _, pages in seen.area() if pages]
    assert happened == [
        ("write", [*range(100)]),
        ("write", [*range(10, 20)]),
        ("discard", [*range(50)]),
        ("write", [60]),
        ("discard", [*range(60, 70)]),
        ("write", [65]),
    ]


def test_references_of_the_kernel_last_as_long_as_they_do(tmp_path: Path) -> None:
    words = ("w:0:20", NAP, "p:0:4", "w:4:5", "q", "v:5:7", NAP, "b", NAP, "o:8:10", "i:10:12", "p:16:18", "w:13:14")
    seen = record(tmp_path / "a", *words)
    assert [(op, pages) for op, _, pages in seen.area() if op != "write"] == [
        ("spawn", []),
        ("pin", [0, 1, 2, 3]),
        ("release", []),
        ("get", [5, 6]),
        ("release", []),
        ("get", [8, 9]),
        ("device_read", []),
        ("release", []),
        ("get", [10, 11]),
        ("device_write", []),
        ("release", []),
        ("pin", [16, 17]),
        ("exit", []),
        ("release", []),
    ]
    assert ("write", 0, [4]) in seen.area()
    gets = [line for line in seen.lines() if isinstance(line, Get)]
    assert [(get.write, get.coherent) for get in gets] == [(False, False), (False, True), (True, True)]


def test_a_pin_makes_the_fork_copy_and_the_model_knows_how_much(tmp_path: Path) -> None:
    child = ("f", "w:100:103", NAP, NAP, "e")
    seen = record(tmp_path / "a", "w:0:200", "p:0:64", NAP, *child, "w:0:10", "w:120:125", NAP, "j", NAP)
    frames = seen.frames()
    assert sum(note.changed for note in frames) == sum(note.changed for note in seen.predicted())
    assert sum(note.changed for note in frames if note.process == 1) >= 64 + 3


def test_pages_that_children_do_not_get_are_not_in_them(tmp_path: Path) -> None:
    seen = record(tmp_path / "a", "w:0:50", NAP, "z:0:40", "w:3:4", "f", "w:45:46", NAP, "e", "j")
    assert seen.told("dontfork", 0) == [[*range(40)]]
    assert [note.present for note in seen.frames()] == [note.present for note in seen.predicted()]


def test_read_only_and_back_is_one_protect(tmp_path: Path) -> None:
    assert record(tmp_path / "a", "w:0:50", NAP, "t:7:9", NAP).told("protect", 0) == [[7, 8]]


def test_pages_freed_lazily_stay_and_are_counted(tmp_path: Path) -> None:
    seen = record(tmp_path / "a", "w:0:50", NAP, "l:7:9", NAP, "d:10:12")
    assert seen.told("discard", 0) == [[10, 11]]
    assert seen.missed()[FREED] == 1


def test_a_killed_recorder_leaves_a_readable_file_and_a_program_that_lives(tmp_path: Path) -> None:
    words = ("h", "w:0:100", NAP, "w:5:6", "s:1500", "w:6:7", "f", "e", "j", "d:0:9", "h", "s:20000")
    recorder = subprocess.Popen(command(tmp_path / "a.gz", *words), stdout=subprocess.PIPE, text=True)
    assert recorder.stdout is not None
    program = int(recorder.stdout.readline())
    time.sleep(1.2)
    recorder.kill()
    recorder.wait()
    try:
        assert int(recorder.stdout.readline()) == program  # it came through writes, a fork and a discard
    finally:
        os.kill(program, signal.SIGKILL)
        recorder.stdout.close()
    seen = Recording(tmp_path / "a.gz")
    assert isinstance(seen.lines()[-1], Cut)
    assert seen.told("write", 0) == [[*range(100)], [5]]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_recording_and_not_the_program(tmp_path: Path, how: int) -> None:
    recorder = subprocess.Popen(command(tmp_path / "a", "h", "w:0:9", "s:20000"), stdout=subprocess.PIPE, text=True)
    assert recorder.stdout is not None
    program = int(recorder.stdout.readline())
    time.sleep(0.2)
    recorder.send_signal(how)
    try:
        assert recorder.wait(10) == 0
        os.kill(program, 0)
        last = Recording(tmp_path / "a").lines()[-1]
        assert isinstance(last, End)
        assert last.status is None
    finally:
        os.kill(program, signal.SIGKILL)
        recorder.stdout.close()


def test_frame_numbers_alone_tell_who_copied_and_say_that_they_are_a_sample(tmp_path: Path) -> None:
    child = ("f", "w:5:50", *[NAP] * 8, "e")
    words = ("w:0:1000", NAP, "w:0:500", NAP, *child, NAP, NAP, "w:20:100", "u:900:950", NAP, "j", "w:60:70")
    seen = record(tmp_path / "a", *words, options=("--way", "frames"))
    assert seen.told("write", 0) == [[*range(1000)], [*range(50, 100)]]
    assert seen.told("write", 1) == [[*range(5, 50)]]
    assert seen.told("discard", 0) == [[*range(900, 950)]]
    assert seen.told("discard", 1) == []
    assert read_facts(seen.path).sampled
    assert "sampled" in seen.err


def test_soft_dirty_marks_tell_the_same_where_the_kernel_has_them(tmp_path: Path) -> None:
    try:
        ways.choose("soft-dirty")
    except RecordError as error:
        pytest.skip(str(error))
    words = ("w:0:1000", NAP, "w:0:1000:7", NAP, "w:5:6", "f", "w:10:12", NAP, NAP, "w:3:4", "e", NAP, "w:20:40", "j")
    seen = record(tmp_path / "a", *words, options=("--way", "soft-dirty"))
    assert seen.told("write", 0) == [[*range(1000)], [*range(0, 1000, 7)], [5], [*range(20, 40)]]
    assert seen.told("write", 1) == [[10, 11], [3]]


def test_a_process_that_is_held_stands_still_and_then_goes_on() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: print(1, flush=True)"], stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        assert busy.stdout.read(100)
        with hold.held(busy.pid):
            state = Path(f"/proc/{busy.pid}/stat").read_text().split()[2]
            assert state == "t"
        assert busy.stdout.read(200_000)
        busy.kill()
