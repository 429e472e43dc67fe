"""Every built-in workload runs legally and within its budget, its seed decides its operations, its facts are stated."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest

from cowbench import plugins, spec
from cowbench.errors import ParameterError, ProgramError
from cowbench.machine import MachineConfig
from cowbench.operations import Operation, Recorder, encode
from cowbench.parameters import declared, value_type
from cowbench.program_file import ProgramWriter, write_program
from cowbench.workload import Workload
from tests import cow_cases
from tests.workload_probe import Probe

ROOT = Path(__file__).parents[1]
NAMES = sorted(file.stem for file in (ROOT / "workloads").glob("*.py"))
LEAVES_REFERENCES = {"pinned_once", "pipe_attacker", "rdma_hidden_fork", "uring_server", "vm_guest", "zygote"}
"""Workloads whose memory stays registered, or whose attacker keeps his pipe, at the end."""


def load(name: str) -> type[Workload]:
    """Return the class of a built-in workload."""
    return plugins.load_file("workload", ROOT / "workloads" / f"{name}.py")


def probed(workload: Workload, seed: int = 1) -> Probe:
    """Run a workload on a probe and return it."""
    probe = Probe(workload.machine())
    workload.run(probe, np.random.default_rng(seed))
    return probe


def stream(workload: Workload, seed: int) -> tuple[str, bool]:
    """Return the digest of all operations of a run, and whether the script drew from its generator."""
    digest, rng = hashlib.sha256(), np.random.default_rng(seed)
    before = str(rng.bit_generator.state)

    def sink(operation: Operation) -> None:
        digest.update(json.dumps(encode(operation)).encode())

    machine: Any = Recorder(Probe(workload.machine()), sink)
    workload.run(machine, rng)
    return digest.hexdigest(), before != str(rng.bit_generator.state)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_every_operation(name: str) -> None:
    workload = load(name)()
    first, drew = stream(workload, 1)
    assert stream(workload, 1)[0] == first
    assert (stream(workload, 2)[0] == first) is workload.exact
    assert drew is not workload.exact


@pytest.mark.parametrize("name", NAMES)
def test_a_default_cell_is_small(name: str) -> None:
    """About 0.1 s a cell: an operation costs up to 0.1 ms and 50 ns a page; eager_copy copies all that fork walks."""
    probe = probed(load(name)())
    assert sum(probe.calls.values()) <= 1500
    assert sum(probe.pages.values()) <= 500_000
    assert probe.pages["fork"] <= 400_000


@pytest.mark.parametrize("name", NAMES)
def test_references_are_released_or_left_on_purpose(name: str) -> None:
    assert (probed(load(name)()).held() > 0) is (name in LEAVES_REFERENCES)


def edges(cls: Any, field: dataclasses.Field[Any]) -> Iterator[bool | int | float | str]:
    """Values to run: every choice, the lower end of a range, and the upper end of a share."""
    kind, low, high = value_type(cls, field.name), field.metadata["low"], field.metadata["high"]
    if get_origin(kind) is Literal:
        yield from get_args(kind)
    elif kind is bool:
        yield from (False, True)
    elif kind in (int, float):
        yield kind(low)
        if high <= 1:
            yield kind(high)


def variants() -> Iterator[Any]:
    for name in NAMES:
        cls = load(name)
        for field in declared(cls):
            for value in edges(cls, field):
                yield pytest.param(cls, {field.name: value}, id=f"{name}:{field.name}={value}")


@pytest.mark.parametrize(("cls", "values"), list(variants()))
def test_the_edges_of_a_range_run(cls: type[Workload], values: dict[str, Any]) -> None:
    assert sum(probed(cls.from_values(values)).calls.values()) > 0


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_described_and_bounded(name: str) -> None:
    cls: Any = load(name)
    for field in declared(cls):
        kind, facts = value_type(cls, field.name), field.metadata
        assert facts["source"] or facts["help"] or facts["unit"], field.name
        if kind not in (int, float):
            continue
        low, high = facts["low"], facts["high"]
        assert low <= field.default <= high, field.name
        for value in (low - 1, high + 1):
            with pytest.raises(ParameterError, match=field.name):
                cls.from_values({field.name: kind(value)})


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_names_load_source_scale_and_differences(name: str) -> None:
    text = sys.modules[load(name).__module__].__doc__ or ""
    assert text.startswith(f"{name}: ")
    assert re.findall(r"^(\w+): ", text, re.MULTILINE)[1:] == ["Load", "Source", "Scale", "Differ"]


@pytest.mark.parametrize("name", NAMES)
def test_it_names_policies_that_exist(name: str) -> None:
    cls = load(name)
    assert bool(cls.differs) is not cls.control
    for pair in cls.differs:
        first, second = (spec.parse("policy", text).text for text in pair)
        assert (first, second) == pair
        assert first != second


def test_the_table_lists_every_workload() -> None:
    table = (ROOT / "docs" / "workloads.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == NAMES


def test_the_example_program_is_cow_c(tmp_path: Path) -> None:
    write_program(tmp_path / "cow.jsonl", MachineConfig(), cow_cases.program())
    assert cow_cases.PROGRAM.read_bytes() == (tmp_path / "cow.jsonl").read_bytes()


def test_a_recorded_run_replays_to_the_same_operations(tmp_path: Path) -> None:
    workload, file = load("snapshot_under_swap")(), tmp_path / "recorded.jsonl"
    with ProgramWriter(file, MachineConfig(swap="synchronous")) as out:
        machine: Any = Recorder(Probe(), out.operation)
        workload.run(machine, np.random.default_rng(3))
    trace = load("trace").from_values({"file": str(file)})
    assert trace.machine() == MachineConfig(swap="synchronous")
    assert stream(trace, 1)[0] == stream(workload, 3)[0]


def test_a_missing_program_is_named() -> None:
    with pytest.raises(ProgramError, match=r"nowhere\.jsonl: cannot be read"):
        load("trace").from_values({"file": "nowhere.jsonl"}).machine()


def test_the_probe_refuses_the_dead() -> None:
    """The checks above rest on it."""
    probe = Probe()
    parent = probe.spawn()
    child = probe.fork(parent)
    spent, read = probe.pin(child, range(1)), probe.pin(parent, range(1), write=False)
    probe.exit(child)
    probe.release(spent)
    with pytest.raises(ProgramError, match="process 1 is dead"):
        probe.write(child, range(1))
    with pytest.raises(ProgramError, match="reference 0 is released"):
        probe.device_read(spent)
    with pytest.raises(ProgramError, match="reference 1 is for reading"):
        probe.device_write(read)
    with pytest.raises(ProgramError, match="no CPU 2"):
        probe.drain(2)
    with pytest.raises(ProgramError, match="not page numbers"):
        probe.write(parent, np.array([-1]))
