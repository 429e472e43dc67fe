"""Timing and counting: samples of interleaved rounds, ratios, a stopwatch per verb, the model ready to be timed."""

from __future__ import annotations

import dataclasses
import gc
from collections import defaultdict
from collections.abc import Callable, Mapping
from statistics import median
from time import process_time
from typing import Any

import numpy as np

from benchmarks.ratios.programs import Draws, Verbs, mixed, populate, warm_references
from cowbench import plugins
from cowbench.machine import MachineConfig
from cowbench.simulated import SimulatedMachine

POLICY = "has_pinned"


@dataclasses.dataclass(frozen=True)
class Ratio:
    """A quotient of times: of the minima of all rounds, and of their medians."""

    minimum: float
    median: float


Samples = dict[str, list[float]]
"""Seconds by name, one entry a round."""


def gather(rounds: int, takers: Mapping[str, Callable[[], Mapping[str, float]]], times: int = 1) -> Samples:
    """Take turns: every round asks every taker, `times` in a row; samples are named "taker: what"."""
    samples: Samples = defaultdict(list)
    for _ in range(rounds):
        for name, take in takers.items():
            for _ in range(times):
                gc.collect()
                gc.disable()
                for what, seconds in take().items():
                    samples[f"{name}: {what}"].append(seconds)
                gc.enable()
    return samples


def ratio(samples: Samples, above: str, below: str, scale: float = 1.0) -> Ratio:
    """Return `scale` x above / below."""
    over, under = samples[above], samples[below]
    return Ratio(scale * min(over) / min(under), scale * median(over) / median(under))


def cold_model(frames: int) -> SimulatedMachine:
    """Return a fresh model, driven by the policy as a plug-in."""
    return SimulatedMachine(plugins.load("policy", POLICY)(), MachineConfig(frames=frames))


def model(frames: int) -> SimulatedMachine:
    """Return a fresh model with every frame column touched."""
    machine = cold_model(frames)
    for column in vars(machine.memory.frames).values():
        if isinstance(column, np.ndarray):
            column[:] = 0  # numpy's zeros are lazy: the first touch would be timed with the operation that needs it
    return machine


def counts(machine: Any) -> dict[str, int]:
    """Return all that a machine counted, flat: names as in reference.c, which has no page-table locks."""
    if not hasattr(machine, "ledger"):
        return dict(machine.counts())
    flat: dict[str, int] = {}
    for name, value in dataclasses.asdict(machine.ledger).items():
        if name == "forks":
            flat["forks"] = len(value)
            for field in value[0] if value else ():
                flat[f"forks_{field}"] = sum(fork[field] for fork in value)
        elif name == "lock_holds":
            continue
        elif isinstance(value, dict):
            flat |= {f"{name}_{key}": number for key, number in value.items()}
        else:
            flat[name] = value
    return flat


def differences(left: Mapping[str, int], right: Mapping[str, int]) -> list[str]:
    """Return the counts that differ, in words; a name that one of them lacks counts 0 there."""
    names = sorted({*left, *right})
    return [f"{n} {left.get(n, 0)} != {right.get(n, 0)}" for n in names if left.get(n, 0) != right.get(n, 0)]


class Stopwatch:
    """A machine that passes every verb on and adds up its seconds and pages (`whole` for fork and exit).

    counted: what the machine counted, once the programme is over.
    """

    def __init__(self, machine: Any, whole: int) -> None:
        self._machine, self.whole = machine, whole
        self.counted: dict[str, int] = {}
        self._taken: dict[Any, int] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        self.pages: dict[str, int] = defaultdict(int)

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        method = getattr(self._machine, verb)

        def timed(*arguments: Any) -> Any:
            start = process_time()
            result = method(*arguments)
            self.seconds[verb] += process_time() - start
            self.pages[verb] += self._size(verb, arguments, result)
            return result

        return timed

    def _size(self, verb: str, arguments: tuple[Any, ...], result: Any) -> int:
        if verb == "release":
            return self._taken.pop(arguments[0])
        size = len(arguments[1]) if len(arguments) > 1 else self.whole
        if verb in ("pin", "get"):
            self._taken[result] = size
        return size

    def close(self) -> None:
        """Keep what the machine counted and let go of it: only one shall be in memory at a time."""
        self.counted = counts(self._machine)
        self._machine = None


def run_mixed(machine: Verbs, pages: int, draws: list[Draws]) -> Stopwatch:
    """Populate and warm a machine, then time the mixed programme on it, verb by verb."""
    parent = populate(machine, pages)
    warm_references(machine, parent, pages)
    watch = Stopwatch(machine, pages)
    mixed(watch, parent, pages, draws)
    watch.close()
    return watch


def available_memory() -> int:
    """Return the bytes of memory that this computer could give."""
    return _field("/proc/meminfo", "MemAvailable")


def peak_memory() -> int:
    """Return the most bytes this process ever had in memory."""
    return _field("/proc/self/status", "VmHWM")


def _field(file: str, name: str) -> int:
    with open(file, encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) * 1024
