"""Where exact counters moved: no test is needed, a commit's number equals that of the commit before or it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cowbench.history.files import Benchmark, Parameters, Results

PAIR = ("policy", "workload")


@dataclass(frozen=True)
class Step:
    """A counter of one cell that a commit changed. before: its value at the last commit that had one."""

    commit: str
    metric: str
    policy: str
    workload: str
    before: float
    after: float

    @property
    def worse(self) -> bool:
        """Whether it rose: everything in an asv history is a cost."""
        return self.after > self.before


def counters(one: Results) -> dict[Benchmark, dict[Parameters, float]]:
    """Return the exact counters of policies on workloads that a commit has a number for."""
    return {
        benchmark: {key: value for key, value in cells.items() if value is not None and value == value}
        for benchmark, cells in one.cells.items()
        if benchmark.type == "track" and benchmark.param_names == PAIR
    }


def metric(benchmark: Benchmark) -> str:
    """Return what a benchmark measures: `copies` of bench_counters.Counters.track_copies."""
    return benchmark.name.rpartition(".")[2].removeprefix(f"{benchmark.type}_")


def steps(line: Sequence[Results]) -> Iterator[Step]:
    """Yield every counter that moved along one line of commits, in their order."""
    last: dict[tuple[str, Parameters], float] = {}
    for one in line:
        for benchmark, cells in counters(one).items():
            for key, value in cells.items():
                before = last.get((benchmark.name, key), value)
                if value != before:
                    policy, workload = key
                    yield Step(one.commit, metric(benchmark), policy, workload, before, value)
                last[benchmark.name, key] = value


@dataclass(frozen=True)
class Place:
    """A policy's counter at a commit: number `place` of the line, from 0; in sum over the workloads that have it.

    rose, fell: workloads on which it moved since the commit before.
    """

    place: int
    total: float
    workloads: int
    rose: int
    fell: int


@dataclass(frozen=True)
class Curve:
    """A policy's counter over commits, in parts within which it is summed over the same workloads."""

    policy: str
    parts: tuple[tuple[Place, ...], ...]


def curves(line: Sequence[Results]) -> dict[str, list[Curve]]:
    """Return for each counter the curves of all policies."""
    found: dict[str, dict[str, dict[int, dict[str, float]]]] = {}
    for place, one in enumerate(line):
        for benchmark, cells in counters(one).items():
            by_policy = found.setdefault(metric(benchmark), {})
            for (policy, workload), value in cells.items():
                by_policy.setdefault(policy, {}).setdefault(place, {})[workload] = value
    return {name: [Curve(policy, _parts(at)) for policy, at in some.items()] for name, some in found.items()}


def _parts(at: dict[int, dict[str, float]]) -> tuple[tuple[Place, ...], ...]:
    parts: list[list[Place]] = []
    last: dict[str, float] = {}
    for place, values in at.items():
        rose = sum(value > last.get(workload, value) for workload, value in values.items())
        fell = sum(value < last.get(workload, value) for workload, value in values.items())
        if values.keys() != last.keys() or not parts:
            parts.append([])
        parts[-1].append(Place(place, sum(values.values()), len(values), rose, fell))
        last = values
    return tuple(map(tuple, parts))


def lines(results: Iterable[Results]) -> dict[tuple[str, str], list[Results]]:
    """Return (machine, python) -> its results with counters: numbers of two computers are no steps of each other."""
    found: dict[tuple[str, str], list[Results]] = {}
    for one in results:
        if counters(one):
            found.setdefault((one.machine, one.python), []).append(one)
    return found


def in_order(results: Sequence[Results], folder: Path) -> list[Results]:
    """Return results as commits follow one another, if `folder` lies in their repository; else by date.

    Dates are those of authors, and a commit that was rebased may be older than the one before it.
    """
    words = ["git", "-C", str(folder), "rev-list", "--topo-order", "--reverse", "HEAD"]
    try:
        listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        listed = []
    place = {commit: number for number, commit in enumerate(listed)}
    if all(one.commit in place for one in results):
        return sorted(results, key=lambda one: place[one.commit])
    return sorted(results, key=lambda one: (one.date, one.commit))
