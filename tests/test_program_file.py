"""Program files: a recorded run replays, compressed or not, and bad files are named by line."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cowbench import program_file
from cowbench.errors import OutOfFrames, ProgramError
from cowbench.generator import random_program
from cowbench.machine import MachineConfig, Process
from cowbench.operations import Recorder, Spawn, Write, encode
from cowbench.program_file import ProgramWriter, read_header, read_operations, replay_file, write_program
from tests.modelled import modelled


def test_a_recorded_program_replays_to_the_same_state(tmp_path: Path) -> None:
    for seed in range(20):
        config, program = random_program(np.random.default_rng(seed), limits=False)
        path, first, again = (tmp_path / f"{seed}.jsonl", *(modelled("has_pinned", {}, config) for _ in range(2)))
        with ProgramWriter(path, config) as writer:
            recorder = Recorder(first, writer.operation)
            for operation in program:
                try:
                    operation.apply(recorder)
                except OutOfFrames:
                    pytest.fail("no limits, yet out of frames")
        assert read_header(path) == config
        replay_file(path, again)
        assert again.snapshot() == first.snapshot()
        assert again.ledger == first.ledger


HEADER = '{"cowbench_program": 1}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: not a cowbench program file"),
        ("[]\n", "1: not a cowbench program file"),
        ("[" * 100_000, "1: not a cowbench program file"),
        (HEADER + "[" * 100_000 + "\n", "2: not an operation"),
        ('{"cowbench_program": 3}\n', "1: program format 3, this cowbench reads 1 and 2"),
        ('{"cowbench_program": 1, "machine": {"frams": 3}}\n', "1: bad machine in the header"),
        (HEADER + "{\n", "2: not an operation"),
        (HEADER + "{", "2: the last line is cut short"),
        (HEADER + "[]\n", "2: not an operation"),
        (HEADER + '{"op": "write", "process": 0, "pages": [[0, 1], [2, 1000000000000]]}', "2: .*a run of pages"),
        (HEADER + '{"op": "wrte", "process": 0, "pages": [1]}', "2: .*did you mean 'write'"),
        (HEADER + '{"op": "write", "process": 0}', "2: not an operation"),
        (HEADER + '{"op": "write", "process": 0, "pages": [[4, 4]]}', "2: .*a run of pages"),
        (HEADER + '{"op": "spawn"}\n{"op": "exit", "process": 3}', "3: there is no process 3"),
    ],
)
def test_bad_files_are_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "program.jsonl"
    path.write_text(text)
    with pytest.raises(ProgramError, match=f"program.jsonl:{message}"):
        read_all(path)


def read_all(path: Path) -> None:
    read_header(path)
    replay_file(path, modelled("mapcount", {}, MachineConfig()))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be read"):
        read_header(tmp_path / "none.jsonl")
    assert list(read_operations(Path("workloads/cow.jsonl")))


def test_a_compressed_program_is_told_by_its_beginning(tmp_path: Path) -> None:
    program = random_program(np.random.default_rng(3))[1]
    write_program(tmp_path / "program.jsonl.gz", MachineConfig(frames=77), program)
    (tmp_path / "program.jsonl.gz").rename(tmp_path / "renamed")
    assert read_header(tmp_path / "renamed") == MachineConfig(frames=77)
    assert list(map(encode, read_operations(tmp_path / "renamed"))) == list(map(encode, program))
    write_program(tmp_path / "again.gz", MachineConfig(frames=77), program)
    assert (tmp_path / "again.gz").read_bytes() == (tmp_path / "renamed").read_bytes()


def test_version_1_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "old.jsonl"
    path.write_text(HEADER + '{"op": "spawn"}\n{"op": "write", "process": 0, "pages": [[0, 4], 9]}\n')
    assert [encode(operation) for operation in read_operations(path)] == [
        {"op": "spawn"},
        {"op": "write", "process": 0, "pages": [[0, 4], 9]},
    ]


def test_a_cut_or_damaged_compressed_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "program.jsonl.gz"
    write_program(path, MachineConfig(), [Spawn()] * 100)
    whole = path.read_bytes()
    for length in (len(whole) - 1, len(whole) // 2, 11, 5):
        path.write_bytes(whole[:length])
        with pytest.raises(ProgramError, match=r"program\.jsonl\.gz.*(cut short|no header line)"):
            read_all(path)
    path.write_bytes(whole[:-8] + b"12345678")
    with pytest.raises(ProgramError, match=r"program\.jsonl\.gz: damaged"):
        read_all(path)
    path.write_bytes(whole[:20] + b"\xff" * 20 + whole[40:])
    with pytest.raises(ProgramError, match=r"program\.jsonl\.gz.*(damaged|no header line)"):
        read_all(path)


def test_a_foreign_file_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    with gzip.open(path, "wb") as stream:
        for _ in range(100):
            stream.write(bytes(1 << 20))
    tracemalloc.start()
    with pytest.raises(ProgramError, match="1: not a cowbench program file"):
        read_header(path)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_folder_is_no_program_file(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be read"):
        read_header(tmp_path)


def test_a_full_disk_is_named_and_what_came_before_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"/dev/full: cannot be written \(No space left"):
        write_program(Path("/dev/full"), MachineConfig(), [Spawn()])
    writer = ProgramWriter(tmp_path / "program.jsonl", MachineConfig())
    writer.operation(Spawn())
    writer.close()
    writer.close()
    with pytest.raises(ProgramError, match="it is closed"):
        writer.flush()
    assert len(list(read_operations(tmp_path / "program.jsonl"))) == 1


def test_files_of_any_size_stream_in_and_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_file, "_PENDING", 1 << 14)
    pages = np.arange(0, 1 << 20, 1000)
    path = tmp_path / "program.jsonl.gz"
    tracemalloc.start()
    write_program(path, MachineConfig(), (Write(Process(0), pages) for _ in range(300)))
    assert sum(isinstance(operation, Write) for operation in read_operations(path)) == 300
    assert tracemalloc.get_traced_memory()[1] < 1 << 20  # the pages alone are more than twice that
    tracemalloc.stop()
