"""The time line of a trial: its steps add up to the row, and each page it names is where it says something happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cowbench import costs, spec, timeline, trial
from cowbench.generator import random_program
from cowbench.ledger import CAUSES, KINDS, SITES, Event, Ledger
from cowbench.machine import MachineConfig, Process
from cowbench.operations import Fork, Operation, Pin, Read, Spawn, Stage, Write
from cowbench.simulated.words import NUMBER, PRESENT
from cowbench.timeline import say_event, say_runs, short
from tests.conftest import SMALL, write_plugin
from tests.fuzzing import CHOICES, _done, draw_parameters, draw_shape
from tests.modelled import Modelled, modelled

PROFILE = costs.read_profile()
WORKLOADS = ("trace", "short_pin:pages=64,forks=4", "swap_pressure", "uring_server")
PROGRAMS = 30
P0 = Process(0)


def follow(policy: str, workload: str, seed: int = 0) -> timeline.Timeline:
    return timeline.follow(spec.parse("policy", policy), spec.parse("workload", workload), seed, PROFILE)


def booked(events: list[Event]) -> Ledger:
    """Return a ledger that holds what the events add up to."""
    sums = Ledger()
    for event in events:
        count = len(event.pages)
        if event.kind == "copies":
            sums.copies[event.site] += count
        elif event.kind == "false_positive_copies":
            sums.false_positives[event.site] += count
            sums.causes[event.cause] += count
        else:
            setattr(sums, event.kind, getattr(sums, event.kind) + count)
    return sums


def counts(ledger: Ledger) -> dict[str, Any]:
    """Return what events can tell of a ledger."""
    named: dict[str, Any] = {
        kind: getattr(ledger, kind) for kind in KINDS if kind not in ("copies", "false_positive_copies")
    }
    return {"copies": ledger.copies, "false": ledger.false_positives, "causes": ledger.causes, **named}


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("policy", sorted(CHOICES))
def test_steps_add_up_to_the_row(policy: str, workload: str) -> None:
    line = follow(policy, workload, seed=1)
    row = line.row
    sums = booked([event for step in line.steps for event in step.events])
    assert {site: row[f"copies_{site}"] for site in SITES} == sums.copies
    assert {site: row[f"false_positive_copies_{site}"] for site in SITES} == sums.false_positives
    assert {cause: row[f"false_positive_cause_{cause}"] for cause in CAUSES} == sums.causes
    assert all(row[kind] == line.count(kind) for kind in KINDS)
    times = sorted(step.fork_ns for step in line.steps if step.fork_ns is not None)
    assert row["forks"] == len(times)
    assert row["fork_ns_max"] == (times[-1] if times else None)
    assert row["fork_ns_p50"] == (times[-(-len(times) // 2) - 1] if times else None)


@pytest.mark.parametrize("policy", ["page_count", "has_pinned", "always_reuse"])
def test_following_changes_nothing(policy: str) -> None:
    for workload in WORKLOADS:
        unfollowed = trial.measure(spec.parse("policy", policy), spec.parse("workload", workload), 0, PROFILE)
        assert follow(policy, workload).row == unfollowed


class Follower:
    """A machine whose events are held against its ledger and its page tables after every operation."""

    def __init__(self, policy: str, seed: int) -> None:
        rng = np.random.default_rng([seed, *policy.encode()])
        draw_shape(rng)
        config, self.program = random_program(rng, pages=20)
        self.machine: Modelled = modelled(policy, draw_parameters(policy, rng), config)
        self.events: list[Event] = []
        self.machine.memory.listener = self.events.append

    def step(self, operation: Operation) -> None:
        self.machine.settle()
        before, first = self.frames(), len(self.events)
        owned = {state.handle: state.references.copy() for state in self.machine.processes}
        done = _done(operation, self.machine)
        assert counts(booked(self.events)) == counts(self.machine.ledger), operation
        if done is None and not isinstance(operation, Fork):  # what ran out, or was interleaved, may move pages twice
            self.machine.settle()
            for event in self.events[first:]:
                self.check(event, before, self.frames(), owned)

    def frames(self) -> dict[tuple[int, int], int]:
        """Return the frame behind every present page."""
        return {
            (state.handle, page): int(state.words[page] & NUMBER)
            for state in self.machine.processes
            for page in np.flatnonzero(state.words & PRESENT).tolist()
        }

    def check(
        self,
        event: Event,
        before: dict[tuple[int, int], int],
        after: dict[tuple[int, int], int],
        owned: dict[int, np.ndarray[Any, Any]],
    ) -> None:
        for page in event.pages.tolist():
            place = (event.process, page)
            if event.kind == "copies":
                assert place in after
                assert before.get(place) != after[place] or event.site == "swap_in", (event, before, after)
            elif event.kind == "reuses":
                assert before.get(place, after[place]) == after[place]
            elif event.cause == "own_reference" and place in before:
                assert owned[event.process][before[place]] > 0
            elif event.kind in ("lost_pins", "lost_gets"):
                held = [r for r in self.machine.processes[event.process].held.values() if page in r.pages]
                assert any(r.frames[r.pages == page][0] != after[place] for r in held)


@pytest.mark.parametrize("policy", sorted(CHOICES))
def test_events_add_up_and_name_the_right_pages_on_random_programs(policy: str) -> None:
    seen: set[str] = set()
    for seed in range(PROGRAMS):
        follower = Follower(policy, seed)
        for operation in follower.program:
            follower.step(operation)
        seen |= {event.kind for event in follower.events}
    if policy == "page_count":
        assert seen >= set(KINDS) - {"torn_snapshots", "lost_pins_documented"}  # these have tests of their own


def test_a_needless_copy_names_its_page_and_cause() -> None:
    machine = modelled("has_pinned", {}, MachineConfig())
    events: list[Event] = []
    machine.memory.listener = events.append
    program: list[Operation] = [
        Spawn(),
        Write(P0, range(100)),
        Fork(P0),
        Write(Process(1), range(100)),
        Stage(P0, np.array([40, 7]), "locked", True),
        Write(P0, np.array([50, 40, 3, 7])),
    ]
    for operation in program:
        operation.apply(machine)
    last = [event for event in events if event.process == 0]
    found = {(event.kind, event.cause): event.pages.tolist() for event in last}
    assert found == {
        ("copies", ""): [40, 7],
        ("false_positive_copies", "lock"): [40, 7],
        ("reuses", ""): [50, 3],
    }


def test_what_an_operation_booked_in_parts_is_one_event() -> None:
    step = follow("page_count", "all_pinned:pages=200000").steps[4]  # pages are done in blocks of 65,536
    assert [(event.kind, len(event.pages)) for event in step.events] == [("copies", 200000), ("lost_pins", 200000)]


def test_lost_references_are_told_of_once_each() -> None:
    machine = modelled("mapcount", {}, MachineConfig())
    events: list[Event] = []
    machine.memory.listener = events.append
    for operation in (Spawn(), Read(P0, range(4)), Pin(P0, np.array([3, 1, 3]), write=False), Write(P0, range(4))):
        operation.apply(machine)
    assert [(event.kind, event.pages.tolist()) for event in events] == [("lost_pins_documented", [1, 3, 3])]


def test_a_torn_snapshot_is_the_childs() -> None:
    line = follow("eager_copy", "uring_server", seed=3)
    torn = [event for step in line.steps for event in step.events if event.kind == "torn_snapshots"]
    assert len(torn) == line.row["torn_snapshots"] > 0
    assert say_event(torn[0]) == "the child is no single instant of its parent"


def test_a_workload_may_use_its_array_again(tmp_path: Path) -> None:
    text = SMALL.replace(
        "machine.write(child, range(4))",
        """pages = np.array([5, 6])
        machine.write(child, pages)
        pages[:] = 9""",
    )
    load = write_plugin(tmp_path, "small", text.replace("from numpy.random", "import numpy as np\nfrom numpy.random"))
    last = follow("page_count", load).steps[-1]
    assert last.words == "process 1 writes pages 5 to 6"
    assert [event.pages.tolist() for event in last.events] == [[5, 6]]


def test_one_page_can_be_followed() -> None:
    line = follow("page_count", "rdma_hidden_fork:pages=64,forks=1", seed=2)
    lost = next(event for step in line.steps for event in step.events if event.kind == "lost_pins")
    page = int(lost.pages[0])
    history = [kept for step in line.steps if (kept := step.about(page))]
    assert [step.operation.op for step in history if step.events] != []
    assert all(event.pages.tolist() == [page] for step in history for event in step.events)
    assert {"write", "pin", "fork", "device_write", "exit"} <= {step.operation.op for step in history}
    assert line.steps[0].about(page) is None  # spawn
    assert not any(step.reaches(1000) for step in line.steps)


def test_a_failed_trial_is_followed_up_to_its_failure(tmp_path: Path) -> None:
    text = SMALL.replace("machine.write(child, range(4))", "machine.exit(child)\n        machine.exit(child)")
    line = follow("page_count", write_plugin(tmp_path, "small", text))
    assert (line.row["status"], len(line.steps)) == ("failed", 6)
    assert "has exited" in line.row["error"]


def test_a_failed_fork_hands_nothing_out(tmp_path: Path) -> None:
    text = SMALL.replace("machine.fork(parent)", "machine.fork(parent, fail_at=3)")
    step = follow("eager_copy", write_plugin(tmp_path, "small", text)).steps[2]
    assert (step.words, step.handle) == ("process 0 forks, whose early copy number 3 finds no memory, and fails", "")
    assert step.fork_ns is not None


def test_what_lands_during_a_fork_is_told(tmp_path: Path) -> None:
    landing = "During(at=1, kind='write', pages=range(1, 3))"
    text = SMALL.replace("machine.fork(parent)", f"machine.fork(parent, during=[{landing}] * 5)")
    load = write_plugin(tmp_path, "small", text.replace("import Machine", "import During, Machine", 1))
    words = "process 0 forks (meanwhile at page 1 another thread writes pages 1 to 2, at page 1 another thread writes "
    assert follow("page_count", load).steps[2].words == f"{words}pages 1 to 2, 3 more such operations land)"


def test_pages_in_words() -> None:
    pages = np.array([9, 3, 4, 5, 3, 20, 22])
    assert say_runs(pages) == "3-5, 9, 20, 22"
    assert say_runs(pages, 2) == "3-5, 9 and 2 more"
    assert short("pins pages 1, 4 to 6, 9, 11 for writing", 2) == "pins pages 1, 4 to 6, ... for writing"
    assert short("writes pages 1, 4 to 6", 2) == "writes pages 1, 4 to 6"
