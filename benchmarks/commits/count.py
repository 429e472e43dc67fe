"""How many cells asv counted: its exit code does not tell "nothing ran" from "all is well"."""

from __future__ import annotations

from pathlib import Path

from benchmarks import bench_counters, cells
from cowbench.errors import HistoryError
from cowbench.history import files
from cowbench.history.files import Benchmark, Results

_SHOWN = 3


def benchmarks() -> list[tuple[Benchmark, str, tuple[str, ...]]]:
    """Return the exact counters as asv knows them, each with its metric and its workloads as labelled."""
    found = []
    for cls in (bench_counters.Counters, bench_counters.Fork):
        for name, track in vars(cls).items():
            if name.startswith("track_"):
                benchmark = Benchmark(
                    f"bench_counters.{cls.__name__}.{name}", track.unit, track.version, cls.param_names
                )
                found.append((benchmark, name.removeprefix("track_"), cls.params[1]))
    return found


def results_of(folder: Path, commit: str) -> Results:
    """Return the exact counters that asv found for a commit. Raises HistoryError if it found none."""
    for file in sorted((folder / files.MACHINE).glob(f"{commit[:8]}-*.json")):
        return files.read_file(file, {benchmark.name: benchmark for benchmark, _, _ in benchmarks()})
    raise HistoryError(f"asv measured nothing at {commit[:8]}; all it said is in .asv/log.txt")


def absent(results: Results) -> list[str]:
    """Return the cells that a commit should have and has not, in words."""
    return [
        f"{metric} of {policy} on {workload}"
        for benchmark, metric, workloads in benchmarks()
        for workload in workloads
        for policy in cells.POLICIES
        if is_absent(results.cells.get(benchmark, {}).get((policy, workload)))
    ]


def is_absent(value: float | None) -> bool:
    """Return whether a cell failed (None) or did not apply (NaN)."""
    return value is None or value != value


def expected() -> int:
    """Return how many cells a commit with everything built in has."""
    return sum(len(cells.POLICIES) * len(workloads) for _, _, workloads in benchmarks())


def need_every_cell(results: Results) -> str:
    """Say how many cells were counted at a commit. Raises HistoryError if one was not."""
    lacking = absent(results)
    if lacking:
        some = "; ".join(lacking[:_SHOWN]) + (" ..." if len(lacking) > _SHOWN else "")
        raise HistoryError(f"{len(lacking)} of {expected()} cells were not counted at {results.commit[:8]}: {some}")
    return f"{expected():,} of {expected():,} cells counted at {results.commit[:8]}"
