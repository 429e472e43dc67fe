"""What cannot be recorded: one clear line each, nothing left behind, nothing lost."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cowbench.errors import RecordError
from cowbench.record import pagemap, tracker, ways
from cowbench.recording import Cut
from tests.recordings import NAP, Recording, actor, command, needs_root, record


def told(words: list[str], **settings: str) -> str:
    """Return the one line that a command ends with."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, **settings})
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("cowbench: ")
    return done.stderr


def test_who_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(RecordError, match=r"recording needs root: .* use sudo"):
        ways.choose()


def test_another_system_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(RecordError, match="works on Linux on x86-64 only, not on darwin"):
        ways.choose()


@needs_root
@pytest.mark.parametrize("error", [errno.EINVAL, errno.EPERM, errno.ENOSYS])
def test_a_kernel_that_cannot_tell_is_named_and_another_way_is_taken(
    monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, "no")

    monkeypatch.setattr(tracker, "begin", refuse)
    with pytest.raises(RecordError, match=r"Linux 6\.7 or later with CONFIG_USERFAULTFD, and the right CAP_SYS_PTRACE"):
        ways.choose("userfaultfd")
    assert ways.choose() in ("soft-dirty", "frame numbers")


@needs_root
def test_a_kernel_that_tells_wrongly_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "register", lambda *_: True)  # as of a kernel that accepts all and tracks nothing
    assert ways.choose() != "userfaultfd"


@needs_root
def test_a_way_that_was_asked_for_and_does_not_work_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagemap, "marked", lambda _, pages: (pages, pages * 0, pages > 0))  # marks that do not vanish
    with pytest.raises(RecordError, match=r"cannot tell which pages were written: .* CONFIG_MEM_SOFT_DIRTY"):
        ways.choose("soft-dirty")


@needs_root
def test_without_frame_numbers_there_is_no_way_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "register", lambda *_: True)
    monkeypatch.setattr(pagemap, "marked", lambda _, pages: (pages, pages * 0, pages > 0))
    monkeypatch.setattr(pagemap, "zero_frame", lambda: 0)
    with pytest.raises(RecordError, match="CAP_SYS_ADMIN"):
        ways.choose()


@needs_root
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("no_such_program", None, "no such program; give one that is in PATH, or its path"),
        ("text", b"hello", "Exec format error"),
        ("script", b"#!/no/such/interpreter\n", "No such file or directory"),
    ],
)
def test_a_program_that_cannot_start(tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    program = tmp_path / name
    if content is not None:
        program.write_bytes(content)
        program.chmod(0o755)
    assert says in told(command(tmp_path / "a", program=program))
    assert not (tmp_path / "a").exists()


@needs_root
def test_a_static_program_is_refused_and_a_script_for_one_too(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{actor('-static')} w:0:1\n")
    script.chmod(0o755)
    for program in (actor("-static"), script):
        assert "is a static program, into which nothing can be loaded" in told(command(tmp_path / "a", program=program))
    assert not (tmp_path / "a").exists()


@needs_root
def test_a_static_program_that_another_becomes_is_counted(tmp_path: Path) -> None:
    shell = f"{actor()} w:0:5; exec {actor('-static')} w:0:9 s:1500"
    words = command(tmp_path / "a", program=Path("/bin/sh"))
    subprocess.run([*words, "-c", shell], check=True, capture_output=True)
    seen = Recording(tmp_path / "a")
    assert seen.missed()["programs without the preloaded library (static or privileged)"] == 1
    assert [pages for op, _, pages in seen.area() if op == "write"] == [[*range(5)]]
    assert [op for op, _, _ in seen.area()].count("exit") == 2


@needs_root
def test_a_child_of_a_bare_clone_is_found(tmp_path: Path) -> None:
    seen = record(tmp_path / "a", "w:0:9", NAP, "c", "w:3:5", NAP, "e", "j")
    assert seen.told("write", 1) == [[3, 4]]


@needs_root
def test_a_child_that_is_killed_is_counted(tmp_path: Path) -> None:
    seen = record(tmp_path / "a", "w:0:9", "f", "w:3:4", NAP, "k", "e", "j", "w:4:5")
    assert seen.missed()["last intervals of processes that were killed"] == 1
    assert ("exit", 1, []) in seen.area()
    assert seen.told("write", 1) == [[3]]


@needs_root
def test_without_a_compiler_one_line_says_so(tmp_path: Path) -> None:
    words = command(tmp_path / "a", "w:0:1")
    assert "no C compiler: install gcc" in told(words, CC="/no/such/cc", COWBENCH_CACHE=str(tmp_path / "cache"))
    assert not (tmp_path / "a").exists()


@needs_root
def test_an_output_that_cannot_be_written_is_named_before_anything_starts(tmp_path: Path) -> None:
    assert "/no/such/folder/a" in told(command(Path("/no/such/folder/a"), "h"))


@pytest.mark.parametrize("option", [("--interval", "0"), ("--interval", "soon"), ("--for", "-1s")])
def test_a_duration_that_is_none(tmp_path: Path, option: tuple[str, str]) -> None:
    words = [sys.executable, "-m", "cowbench", "record", *option, "--output", str(tmp_path / "a"), "--", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"'{option[1]}' is no duration: give it as 10ms, 0.5s or 2min" in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@needs_root
def test_a_full_disk_ends_the_recording_and_not_the_program(small_disk: Path) -> None:
    words = ["h", "w:0:4000:3", NAP, *("w:0:4000:7", NAP, "w:0:4000:3", NAP) * 40, "s:20000"]
    recorder = subprocess.Popen(
        command(small_disk / "a", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert recorder.stdout is not None
    assert recorder.stderr is not None
    program = int(recorder.stdout.readline())
    try:
        assert recorder.wait(30) == 2
        time.sleep(0.1)
        os.kill(program, 0)
        said = recorder.stderr.readline()
        assert "No space left on device" in said
        assert f"the program (pid {program}) goes on unrecorded" in said
    finally:
        os.kill(program, signal.SIGKILL)
        recorder.stdout.close()
        recorder.stderr.close()
    seen = Recording(small_disk / "a")
    assert isinstance(seen.lines()[-1], Cut)
    assert seen.told("write", 0)[0] == [*range(0, 4000, 3)]
