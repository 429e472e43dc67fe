"""Programs on the kernel of this host: what was measured on 6.18 with another program comes out of the agent too.

Needs root, for frame numbers; without it these are skipped, but fail when CI is set.
"""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cowbench.compare import first_difference
from cowbench.errors import KernelError, ProgramError
from cowbench.expected import expect
from cowbench.linux import build, wire
from cowbench.linux.connection import Agent, Line
from cowbench.linux.host import Host
from cowbench.linux.wire import one_run
from cowbench.machine import MachineConfig, Process, Reference
from cowbench.observation import Observation
from cowbench.operations import (
    DeviceRead,
    DeviceWrite,
    Discard,
    Dontfork,
    Drain,
    Exec,
    Fork,
    Get,
    Move,
    Operation,
    PageOut,
    Pin,
    Read,
    Release,
    Spawn,
    Stage,
    Write,
)
from tests.golden import ERAS, Vector, first_touches, fork, fresh, leave, settled, write
from tests.modelled import build as policy

P, C, PAGE = Process(0), Process(1), range(1)
RELEASE = tuple(int(part) for part in platform.release().split(".")[:2])
SEEN = ("V4", "V5", "V9", "V10", "V11", "V26", "V29", "V33", "V39", "V49")


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    reason = "frame numbers need root" if os.geteuid() else ""
    if not reason and platform.machine() != "x86_64":
        reason = "the agent is for x86-64"
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    kernel = Host()
    yield kernel
    kernel.close()


def copies(seen: Observation, operation: int = -1) -> int:
    """Pages that went to another frame in one step; they all were in a frame before."""
    return len(seen.steps[operation].page)


@pytest.mark.skipif(RELEASE < (6, 15), reason="column E6 is about 6.15 and later")
@pytest.mark.parametrize("vector", [v for v in ERAS if v.name in SEEN], ids=lambda vector: vector.name)
def test_golden_vectors(host: Host, vector: Vector) -> None:
    program = [Pin(one.process, one.pages, longterm=True) if isinstance(one, Pin) else one for one in vector.program]
    seen = host.observe(program)
    model = expect(policy("anon_exclusive", {"kernel": "6.19"}), MachineConfig(), program)
    assert not seen.not_applicable
    assert first_difference(program, model, seen) is None


@pytest.mark.skipif(RELEASE < (6, 14), reason="before 6.14 exit drains the batch, before 6.12 it holds 15")
@pytest.mark.parametrize("touches", [1, 14, 30, 31, 32, 47, 62])
def test_the_batch_holds_31_pages(host: Host, touches: int) -> None:
    program = [*fresh(touches), Move(P, 1), fork(), leave(1), write(0, touches)]
    assert copies(host.observe(program)) == touches % 31


def test_a_local_batch_is_drained_by_the_fault(host: Host) -> None:
    assert copies(host.observe(first_touches(20))) == 0


def test_readers_see_who_wrote(host: Host) -> None:
    program: list[Operation] = [
        *fresh(3),
        fork(),
        Write(C, range(1, 2)),
        Read(P, range(4)),
        Read(C, np.array([1, 0, 1])),
    ]
    seen = host.observe(program)
    assert seen.steps[-2].tokens.tolist() == [2, 2, 2, 0]
    assert seen.steps[-1].tokens.tolist() == [4, 2, 4]


def test_a_pin_is_a_reference_to_the_page(host: Host) -> None:
    program: list[Operation] = [
        *settled(2),
        Pin(P, range(2), longterm=True),
        DeviceWrite(Reference(0)),
        Read(P, range(2)),
    ]
    program += [Write(P, range(1, 2)), fork(), Write(P, PAGE), DeviceRead(Reference(0)), Read(C, range(2))]
    seen = host.observe(program)
    assert seen.steps[6].tokens.tolist() == [6, 6]
    assert seen.steps[-2].tokens.tolist() == [10, 8], "the pin lost its page to the fork"
    assert seen.steps[-1].tokens.tolist() == [6, 8]


def test_a_pipe_is_read_more_than_once_and_outlives_its_process(host: Host) -> None:
    pages = np.array([1, 0, 1])
    program: list[Operation] = [
        *settled(2),
        Get(P, pages, coherent=False),
        Write(P, range(1, 2)),
        DeviceRead(Reference(0)),
    ]
    program += [Discard(P, range(2)), leave(0), DeviceRead(Reference(0)), Release(Reference(0))]
    seen = host.observe(program)
    assert seen.steps[6].tokens.tolist() == seen.steps[9].tokens.tolist() == [6, 2, 6]


def test_exec_forgets_memory_and_pins(host: Host) -> None:
    program: list[Operation] = [
        *settled(2),
        Pin(P, PAGE, longterm=True),
        Exec(P),
        Read(P, PAGE),
        DeviceRead(Reference(0)),
    ]
    seen = host.observe(program)
    assert seen.steps[-2].tokens.tolist() == [0]
    assert seen.steps[-1].tokens.tolist() == [2]


def test_dontfork_withholds_a_page(host: Host) -> None:
    program: list[Operation] = [*settled(2), Dontfork(P, PAGE), fork(), Read(C, range(2))]
    assert host.observe(program).steps[-1].tokens.tolist() == [0, 2]


def test_many_references_to_one_page(host: Host) -> None:
    program: list[Operation] = [*settled(1), Get(P, np.zeros(1023, np.int64)), DeviceRead(Reference(0)), Read(P, PAGE)]
    assert host.observe(program).steps[-2].tokens.tolist() == [2] * 1023


@pytest.mark.parametrize(
    ("operations", "config", "reason"),
    [
        ([PageOut(P, PAGE)], MachineConfig(), "never put out to swap"),
        ([Pin(P, PAGE)], MachineConfig(), "short_pin"),
        ([Pin(P, PAGE, write=False)], MachineConfig(), "read_pin"),
        ([Stage(P, PAGE, "locked", True)], MachineConfig(), "simulation"),
        ([Get(P, PAGE, write=True), DeviceWrite(Reference(0))], MachineConfig(), "through a get"),
        ([Dontfork(P, PAGE), Fork(P), Fork(C)], MachineConfig(), "withheld"),
        ([], MachineConfig(frames=16), "16 frames"),
    ],
)
def test_what_cannot_be_staged_is_said(
    host: Host, operations: list[Operation], config: MachineConfig, reason: str
) -> None:
    seen = host.observe([Spawn(), Write(P, PAGE), *operations], config)
    assert reason in seen.not_applicable
    assert not seen.steps


def test_impossible_programs_are_the_callers_error(host: Host) -> None:
    with pytest.raises(ProgramError, match="there is no process 1"):
        host.observe([Spawn(), Write(C, PAGE)])


def test_page_out_must_be_one_call() -> None:
    assert one_run(range(4))
    assert one_run(np.array([3, 3, 4]))
    assert not one_run(np.array([4, 3]))


def children(pid: int) -> set[int]:
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.add(int(status.parent.name))
    return found


def test_nothing_is_left_after_a_program(host: Host) -> None:
    pid = host._process.pid
    host.observe(settled(1))
    before = children(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))
    host.observe([*settled(1), Pin(P, PAGE, longterm=True), Get(P, PAGE), fork(), fork(), Drain(1)])
    assert (children(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))) == before


def test_an_agent_that_dies_is_said_and_takes_its_processes_along() -> None:
    if os.geteuid():
        pytest.skip("as the others")
    kernel = Host()
    keepers = children(kernel._process.pid)
    assert keepers
    os.kill(kernel._process.pid, signal.SIGKILL)
    with pytest.raises(KernelError, match="the agent ended by itself"):
        kernel.observe(settled(1))
    kernel.close()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{keeper}").exists() for keeper in keepers) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{keeper}").exists() for keeper in keepers)


def test_a_silent_line_is_given_up() -> None:
    source, sink = os.pipe()
    with pytest.raises(KernelError, match=r"no answer for 0\.05 s; it sleeps"):
        Agent(Line(source, sink, lambda noise: "it sleeps"), timeout_s=0.05)
    os.close(source)
    os.close(sink)


def test_console_words_between_answers_are_kept_apart() -> None:
    frames = wire.Frames()
    frames.feed(b"[ 1.0] hello\n" + wire.frame(b"Oone")[:7])
    assert frames.next() is None
    frames.feed(wire.frame(b"Oone")[7:] + b"noise" + wire.frame(b"Otwo"))
    assert [frames.next(), frames.next()] == [b"Oone", b"Otwo"]
    assert frames.noise == b"[ 1.0] hello\nnoise"


def test_no_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COWBENCH_CACHE", str(tmp_path))
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(KernelError, match="no C compiler"):
        build.agent()
