"""Programs as data: every operation survives its JSON form, and pages take the shorter of two."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cowbench.generator import random_program
from cowbench.machine import Process
from cowbench.operations import Write, decode, decode_pages, encode, encode_pages


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


def test_ascending_pages_far_apart_are_written_as_steps() -> None:
    pages = np.arange(100_000, 200_000, 1000)
    line = encode(Write(Process(0), pages))
    assert line == {"op": "write", "process": 0, "steps": [100_000] + [1000] * 99}
    read = decode(json.loads(json.dumps(line)))
    assert isinstance(read, Write)
    assert list(read.pages) == list(pages)


@pytest.mark.parametrize(
    "pages",
    [
        np.arange(100_000, 200_000, 1000)[::-1],
        np.repeat(np.arange(100_000, 200_000, 1000), 2),
        np.arange(5000),
        np.array([1000, 2000, 3000]),
    ],
    ids=["descending", "twice", "a run", "few"],
)
def test_other_pages_stay_runs(pages: np.ndarray) -> None:
    line = encode(Write(Process(0), pages))
    assert "steps" not in line
    read = decode(line)
    assert isinstance(read, Write)
    assert list(read.pages) == list(pages)


def test_the_shorter_form_is_taken() -> None:
    rng = np.random.default_rng(1)
    for density in (0.01, 0.3, 0.5, 0.7, 0.9, 0.99):
        pages = np.flatnonzero(rng.random(3000) < density) + 100_000
        line = encode(Write(Process(0), pages))
        runs, steps = encode_pages(pages), [int(pages[0]), *np.diff(pages).tolist()]
        shorter = min(len(json.dumps(form, separators=(",", ":"))) for form in (runs, steps))
        form = line.get("steps", line.get("pages"))
        assert len(json.dumps(form, separators=(",", ":"))) == shorter, density


@pytest.mark.parametrize("steps", [[], [3, 0], [3, -1], [-1, 2], [1.5, 2], [1, 1 << 70], [[1, 2]], [True], ["1"]])
def test_bad_steps_are_refused(steps: list[object]) -> None:
    with pytest.raises(ValueError, match="steps must be"):
        decode({"op": "write", "process": 0, "steps": steps})
