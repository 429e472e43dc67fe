"""Programs as data: every operation survives its JSON form, a recorded run replays, bad files are named by line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cowbench.errors import OutOfFrames, ProgramError
from cowbench.generator import random_program
from cowbench.machine import MachineConfig
from cowbench.operations import (
    Recorder,
    decode,
    decode_pages,
    encode,
    encode_pages,
    read_header,
    read_operations,
    replay_file,
    write_header,
)
from tests.modelled import modelled


def test_operations_survive_their_json_form() -> None:
    for seed in range(50):
        for operation in random_program(np.random.default_rng(seed))[1]:
            line = json.loads(json.dumps(encode(operation)))
            assert encode(decode(line)) == line


@pytest.mark.parametrize(
    ("pages", "runs"),
    [
        (range(3, 9), [[3, 9]]),
        (range(4, 4), []),
        (np.array([5]), [5]),
        (np.array([1, 2, 3, 9, 9, 8]), [[1, 4], 9, 9, 8]),
    ],
)
def test_pages_are_written_as_runs(pages: range, runs: list[object]) -> None:
    assert encode_pages(pages) == runs
    assert list(decode_pages(runs)) == list(pages)


def test_a_recorded_program_replays_to_the_same_state(tmp_path: Path) -> None:
    for seed in range(20):
        config, program = random_program(np.random.default_rng(seed), limits=False)
        path, first, again = (tmp_path / f"{seed}.jsonl", *(modelled("has_pinned", {}, config) for _ in range(2)))
        with path.open("w") as stream:
            write_header(stream, config)
            recorder = Recorder(first, lambda operation, out=stream: out.write(json.dumps(encode(operation)) + "\n"))
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
        ('{"cowbench_program": 2}\n', "1: program format 2"),
        ('{"cowbench_program": 1, "machine": {"frams": 3}}\n', "1: bad machine in the header"),
        (HEADER + "{", "2: not an operation"),
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
