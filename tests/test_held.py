"""Recordings are held against the kernel page by page: what counts, what does not, and where a difference shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cowbench import spec
from cowbench.drivers.held import Comparison, compare
from cowbench.errors import ProgramError
from cowbench.machine import MachineConfig, Process
from cowbench.operations import Discard, Exit, Fork, Operation, Spawn, Write
from cowbench.recording import End, Facts, Frames, Note, Program, RecordingWriter

PARENT, CHILD = Process(0), Process(1)
FACTS = Facts(("server",), "6.18.0", 10.0, "userfaultfd", "2026-11-01T00:00:00+00:00")

START: list[Operation | Note] = [
    Spawn(),
    Program(PARENT, 70, "server"),
    Write(PARENT, range(100)),
    Fork(PARENT),
    Program(CHILD, 71, "server"),
]


def held(folder: Path, lines: Sequence[Operation | Note], policy: str = "anon_exclusive:kernel=6.19") -> Comparison:
    """Hold a recording of these lines against a policy."""
    file = folder / "made.jsonl.gz"
    writer = RecordingWriter(file, MachineConfig(), FACTS)
    for line in [*lines, End(10, "all processes ended")]:
        if isinstance(line, Operation):
            writer.operation(line)
        else:
            writer.note(line)
    writer.close()
    return compare(file, spec.parse("policy", policy).build())


def test_each_side_of_a_fork_is_held_against_what_it_had_at_the_fork(tmp_path: Path) -> None:
    lines = [
        *START,
        Write(PARENT, range(40)),
        Write(CHILD, range(30, 50)),  # the first ten are its own by now
        Frames(PARENT, CHILD, present=100, changed=41),
        Frames(CHILD, CHILD, present=99, changed=9),
        Exit(CHILD),
    ]
    parent, child = held(tmp_path, lines).held
    assert (parent.pid, parent.present, parent.changed) == (70, 100, 41)
    assert (parent.predicted_present, parent.predicted, parent.copied) == (100, 40, 40)
    assert (child.pid, child.present, child.changed) == (71, 99, 9)
    assert (child.predicted_present, child.predicted, child.copied) == (100, 10, 10)


def test_a_look_begins_the_next_stretch(tmp_path: Path) -> None:
    lines = [
        *START,
        Write(PARENT, range(40)),
        Frames(PARENT, CHILD, 100, 40),
        Write(PARENT, range(60)),
        Frames(PARENT, CHILD, 100, 20),
        Fork(PARENT),
        Write(PARENT, range(5)),
        Frames(PARENT, 2, 100, 5),
    ]
    comparison = held(tmp_path, lines)
    assert [one.predicted for one in comparison.held] == [40, 20, 5]
    assert comparison.predicted == comparison.changed == 65


def test_pages_that_came_or_went_do_not_count(tmp_path: Path) -> None:
    lines = [
        *START,
        Write(PARENT, range(40)),
        Discard(PARENT, range(10, 20)),
        Write(PARENT, range(15, 20)),  # new
        Write(PARENT, range(100, 700)),  # new, and more than the page table held
        Frames(PARENT, CHILD, 90, 30),
        Write(PARENT, range(50)),
        Frames(PARENT, CHILD, 95 + 600 - 5, 10),
    ]
    first, second = held(tmp_path, lines).held
    assert (first.predicted_present, first.predicted, first.copied) == (90, 30, 40)
    assert (second.predicted_present, second.predicted, second.copied) == (695, 10, 10)


def test_a_forked_process_ends_with_what_it_alone_maps(tmp_path: Path) -> None:
    lines = [
        *START,
        Write(PARENT, range(40)),
        Write(CHILD, range(45, 50)),
        Write(CHILD, range(200, 203)),
        Frames(PARENT, CHILD, 100, 40),
        Exit(CHILD),
        Exit(PARENT),
    ]
    (ended,) = held(tmp_path, lines).ended  # the parent was not forked
    assert (ended.pid, ended.copied, ended.own) == (71, 5, 40 + 5 + 3)


def test_another_policy_predicts_something_else(tmp_path: Path) -> None:
    lines = [*START, Write(PARENT, range(40)), Frames(PARENT, CHILD, 100, 40), Frames(CHILD, CHILD, 100, 0)]
    assert held(tmp_path, lines).predicted == 40
    assert held(tmp_path, lines, "always_reuse").predicted == 0
    assert held(tmp_path, lines, "eager_copy").predicted == 100  # all of the child


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (START, "has no notes of frame numbers"),
        ([Spawn(), Frames(PARENT, PARENT, 1, 1)], "process 0, which neither forked nor was forked"),
        ([Spawn(), Exit(PARENT), Exit(PARENT)], "process 0 has exited"),
    ],
)
def test_a_recording_that_cannot_be_held_is_named(
    tmp_path: Path, lines: Sequence[Operation | Note], words: str
) -> None:
    with pytest.raises(ProgramError, match=rf"made\.jsonl\.gz: .*{words}"):
        held(tmp_path, lines)
