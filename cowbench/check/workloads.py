"""What is asked of a workload: that its operations depend on nothing but its parameters and the seed."""

from __future__ import annotations

import ast
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np

from cowbench import spec as specs
from cowbench.check import Broken
from cowbench.errors import OutOfFrames, ParameterError
from cowbench.machine import Machine
from cowbench.operations import Operation, Recorder, encode
from cowbench.simulated import SimulatedMachine
from cowbench.spec import PluginSpec
from cowbench.trial import generator
from cowbench.workload import Workload

_POLICIES = ("always_reuse", "has_pinned", "eager_copy")
"""Policies as different as can be; a workload must ask all of them the same."""

_CLOSED = {"memory", "ledger", "processes", "references"}
"""Attributes of the simulated machine that other machines lack."""


def _legal(spec: PluginSpec) -> None:
    if not _stream(spec, 0):
        raise Broken("run() does nothing; it must drive the machine")


def _deterministic(spec: PluginSpec) -> None:
    before = _global_state()
    first, again = (_stream(spec, 1) for _ in range(2))
    if _global_state() != before:
        raise Broken("draws from the global random numbers; draw from rng alone")
    if first != again:
        raise Broken("the same seed gave other operations the second time; draw from rng alone")


def _exact(spec: PluginSpec) -> None:
    exact = spec.build().exact
    drawn = _stream(spec, 0) != _stream(spec, 1)
    if exact and drawn:
        raise Broken("exact = True, yet another seed gave other operations")
    if not exact and not drawn:
        raise Broken("two seeds gave the same operations; if it draws nothing, say exact = True")


def _same_for_all(spec: PluginSpec) -> None:
    streams = {name: _stream(spec, 0, name) for name in _POLICIES}
    shortest = min(map(len, streams.values()))
    if len({tuple(stream[:shortest]) for stream in streams.values()}) > 1:
        raise Broken("policies were asked different operations; a workload must not look at what happens")


def _machine_only(spec: PluginSpec) -> None:
    for node in ast.walk(ast.parse(Path(spec.file).read_bytes())):
        if isinstance(node, ast.Attribute) and node.attr in _CLOSED:
            raise Broken(f"line {node.lineno}: reaches for .{node.attr}, which is not part of Machine")


def _points(spec: PluginSpec) -> None:
    cls = type(spec.build())
    for point in cls.points:
        try:
            plugin = cls.from_values(dict(point))
        except ParameterError as error:
            raise Broken(f"points: {error}") from None
        if cls.curve not in point or plugin.on_curve() != cls.curve:
            raise Broken(f"point {dict(point)} is none of a curve along '{cls.curve}': give that parameter a new value")


PROMISES: dict[str, Callable[[PluginSpec], None]] = {
    "its operations are legal": _legal,
    "is deterministic": _deterministic,
    "says whether it draws": _exact,
    "asks every policy the same": _same_for_all,
    "uses Machine and nothing else": _machine_only,
    "has points that lie on its curve": _points,
}


def _stream(spec: PluginSpec, seed: int, policy: str = "has_pinned") -> list[bytes]:
    """Return a digest of every operation that the workload asks for, up to where frames run out."""
    seen: list[bytes] = []

    def note(operation: Operation) -> None:
        seen.append(hashlib.sha256(json.dumps(encode(operation)).encode()).digest())

    workload: Workload = spec.build()
    machine = SimulatedMachine(specs.parse("policy", policy).build(), workload.machine())
    try:
        workload.run(cast(Machine, Recorder(machine, note)), generator(spec, seed))
    except OutOfFrames:
        return seen
    return seen


def _global_state() -> tuple[object, str]:
    return random.getstate(), repr(np.random.get_state(legacy=False))  # noqa: NPY002
