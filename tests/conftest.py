"""Shared by tests: small plug-ins in a folder of their own, rows to fill stores with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cowbench import plugins, schema
from cowbench.store import Result

SMALL = '''"""small: a process forks and both write."""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class Small(Workload):
    pages: int = parameter(64, low=1, unit="pages")

    def run(self, machine: Machine, rng: Generator) -> None:
        parent = machine.spawn()
        machine.write(parent, range(self.pages))
        child = machine.fork(parent)
        machine.write(parent, rng.integers(0, self.pages, 16))
        machine.write(child, range(4))
'''

RULE = '''"""rule: for tests."""

import numpy as np

from cowbench.policy import Policy
from cowbench.views import Mask, WriteFault


class Rule(Policy):
    def reuse(self, fault: WriteFault) -> Mask:
        return fault.refcount == 1
'''


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No plug-ins of the user's own; programs that tests start import the same cowbench."""
    monkeypatch.delenv(plugins.ENVIRONMENT, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))


def write_plugin(folder: Path, name: str, text: str) -> str:
    """Write a plug-in file and return its path as a spec."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(text)
    return str(folder / f"{name}.py")


def make_row(policy: str = "mapcount", workload: str = "small", seed: int = 0, **values: object) -> schema.Row:
    """Return a complete row; counts are 0 and times None unless given."""
    row: schema.Row = {name: 0 if column.kind == "count" else None for name, column in schema.BY_NAME.items()}
    row |= {
        "policy": policy,
        "policy_name": policy.partition(":")[0],
        "seed": seed,
        "sees_truth": 0,
        "control": 0,
        "curve": "",
    }
    row |= {"workload": workload, "workload_name": workload.partition(":")[0], "sampling": "sampled"}
    return row | {"profile": "published", "status": "ok"} | values


def make_result(row: schema.Row) -> Result:
    """Return a row as a finished cell, keyed by its names and seed."""
    key = f"{row['policy']} {row['workload']} {row['seed']}"
    return Result(key, row, worker=1, started="2026-01-01T00:00:00.000+00:00", wall_s=0.25)


@pytest.fixture(autouse=True)
def _default_shape() -> Iterator[None]:
    """Give the model its own thresholds back: random programs lower them to take the paths of large processes."""
    yield
    from tests.fuzzing import restore_shape

    restore_shape()
