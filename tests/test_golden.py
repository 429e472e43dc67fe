"""The numpy model and the scalar twin both give every cell of the golden vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cowbench.machine import MachineConfig, Process, Reference
from cowbench.operations import Drain, Fork, Get, Move, PageOut, Pin, Release
from tests.golden import ERAS, POLICIES, SPECS, TORN, Vector, fork, fresh, leave, write
from tests.modelled import Modelled, modelled
from tests.twin import Twin

Build = Callable[[str, dict[str, Any], MachineConfig], Twin | Modelled]
MACHINES = [pytest.param(modelled, id="model"), pytest.param(Twin, id="twin")]
CASES = [
    pytest.param(vector, column, spec, id=f"{vector.name}-{column}-{','.join(map(str, spec[1].values()))}")
    for vector in [*ERAS, *POLICIES]
    for column in vector.expected
    for spec in SPECS[column]
]


def cell(machine: Twin | Modelled) -> str:
    counts = machine.ledger
    lost = counts.lost_pins + counts.lost_gets + counts.lost_pins_documented
    words = [f"{sum(counts.copies.values())}/{sum(counts.false_positives.values())}"]
    return " ".join([*words, *(["P"] if lost else []), *(["L"] if counts.leaks else [])])


def places(machine: Twin | Modelled) -> dict[tuple[int, int], tuple[str, int]]:
    """Where each page of each process lies: in a slot (and perhaps its frame of the swap cache), or in a frame."""
    seen = machine.snapshot()
    found: dict[tuple[int, int], tuple[str, int]] = {}
    for process, facts in seen["processes"].items():
        for page, entry in facts["pages"].items():
            slot = seen["frames"][entry[1]]["slot"] if entry[0] == "present" else None
            if slot is not None:
                found[process, page] = ("swap", slot)
            elif entry[0] != "zero":
                found[process, page] = (entry[0], entry[1])
    return found


def run(machine: Twin | Modelled, vector: Vector) -> tuple[set[int], int]:
    """Replay; return the processes whose page moved to another frame, and the faults of the last operations."""
    moved: set[int] = set()
    faults = 0
    for index, operation in enumerate(vector.program):
        if index == len(vector.program) - vector.tail:
            faults = count_faults(machine)
        watched = bool(vector.moves) and len(vector.program) < 200
        before, copies = (places(machine), sum(machine.ledger.copies.values())) if watched else ({}, 0)
        operation.apply(machine)
        if watched and sum(machine.ledger.copies.values()) > copies:
            parent = operation.process if isinstance(operation, Fork) else None
            for (process, page), place in places(machine).items():
                old = before.get((process, page)) or before.get((parent, page))  # type: ignore[arg-type]
                if old not in (None, place):
                    moved.add(process)
    return moved, count_faults(machine) - faults


def count_faults(machine: Twin | Modelled) -> int:
    counts = machine.ledger.faults
    return counts.zero_fill + counts.reuse + counts.copy + counts.read_zero + counts.swap_in


@pytest.mark.parametrize("build", MACHINES)
@pytest.mark.parametrize(("vector", "column", "spec"), CASES)
def test_cell(build: Build, vector: Vector, column: str, spec: tuple[str, dict[str, Any]]) -> None:
    machine = build(*spec, vector.config)
    moved, faults = run(machine, vector)
    assert cell(machine) == vector.expected[column]
    copies, false = sum(machine.ledger.copies.values()), sum(machine.ledger.false_positives.values())
    if column in vector.causes:
        assert machine.ledger.causes[vector.causes[column]] == false > 0
    if column in vector.sites:
        assert machine.ledger.copies[vector.sites[column]] == copies > 0
    if column in vector.moves and len(vector.program) < 200:
        assert moved == vector.moves[column]
    if column in vector.faults:
        assert faults == vector.faults[column]
    if column in vector.failures:
        assert sum(counts.failed for counts in machine.ledger.forks) == vector.failures[column]


@pytest.mark.parametrize("build", MACHINES)
@pytest.mark.parametrize("column", TORN.torn)
def test_torn_snapshot(build: Build, column: str) -> None:
    for name, parameters in SPECS[column]:
        machine = build(name, parameters, TORN.config)
        run(machine, TORN)
        assert machine.ledger.torn_snapshots == TORN.torn[column]


@pytest.mark.parametrize("build", MACHINES)
@pytest.mark.parametrize("name", ["anon_exclusive", "oracle"])
def test_frozen_writers_tear_nothing(build: Build, name: str) -> None:
    machine = build(name, {"freeze_writers": True}, TORN.config)
    run(machine, TORN)
    assert machine.ledger.torn_snapshots == 0


def test_the_table_is_whole() -> None:
    names = [vector.name.split()[0] for vector in [*ERAS, *POLICIES]]
    assert set(names) == {f"V{n}" for n in range(1, 52)} | {f"W{n}" for n in range(1, 9)}
    assert len(names) == 51 + 2 + 8 + 1  # V7 in three sizes, W8 with short and long-term pins


@pytest.mark.parametrize("build", MACHINES)
@pytest.mark.parametrize(("kernel", "copies"), [("6.19", "0/0"), ("7.3", "1/1")])
def test_a_write_swap_in_of_an_own_page_drains_up_to_7_0(build: Build, kernel: str, copies: str) -> None:
    """Measured on 6.19.14 and 7.0.13 (still in its frame), and on 7.3.4 (copied: left behind in the batch of CPU 0)."""
    machine = build("anon_exclusive", {"kernel": kernel}, MachineConfig())
    touched = [PageOut(Process(0), range(1)), write(0), Move(Process(0), 1)]
    for operation in [*fresh(1), *touched, fork(), leave(1), write(0)]:
        operation.apply(machine)
    assert cell(machine) == copies


@pytest.mark.parametrize("build", MACHINES)
@pytest.mark.parametrize(("kernel", "copies"), [("6.19", "1/0"), ("7.3", "2/1")])
def test_three_references_drain_up_to_7_0(build: Build, kernel: str, copies: str) -> None:
    """Measured on 6.19.14 and 7.0.13 (the child finds its page on the LRU), and on 7.3.4 (in the batch of CPU 0)."""
    machine = build("anon_exclusive", {"kernel": kernel}, MachineConfig())
    for operation in [*fresh(1), fork(), write(0), Move(Process(1), 1), write(1)]:
        operation.apply(machine)
    assert cell(machine) == copies


@pytest.mark.parametrize("build", MACHINES)
@pytest.mark.parametrize(("kernel", "enough"), [("6.19", 1022), ("7.0", 1021), ("7.3", 1022)])
def test_a_write_swap_in_frees_the_swap_cache_but_in_7_0(build: Build, kernel: str, enough: int) -> None:
    """Measured on 6.19.14, 7.0.13 and 7.3.4: references that make fork copy a page that was written back in."""
    for references in (enough - 1, enough):
        machine = build("anon_exclusive", {"kernel": kernel}, MachineConfig())
        once = [Pin(Process(0), range(1, 2), longterm=True), Release(Reference(0))]
        back = [PageOut(Process(0), range(1)), write(0), Drain(0)]
        many = Get(Process(0), np.zeros(references, np.int64))
        for operation in [*fresh(2), *once, *back, many, fork()]:
            operation.apply(machine)
        assert machine.ledger.copies["fork"] == (references == enough)
