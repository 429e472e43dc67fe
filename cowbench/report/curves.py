"""Fork latency along a parameter: the points of workloads that are run at several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from cowbench.report.results import Results
from cowbench.schema import Row

SLOWEST, MEDIAN = "fork_ns_max", "fork_ns_p50"
"""What is drawn is the slowest fork of a trial, the one that finds most pages pinned or shared. On a real kernel it is
also the one most disturbed by other things, so the median is told beside it.
"""
Times = dict[str, tuple[Fraction | None, ...]]
"""policy -> ns at each value of a parameter, means over seeds; None where nothing was measured."""


@dataclass(frozen=True)
class Curve:
    """Fork times of policies on one workload along one parameter.

    values: of the parameter, ascending. times: the slowest fork of a trial. medians: the median fork of a trial on a
    real kernel, where that is another one.
    """

    workload: str
    parameter: str
    values: tuple[int, ...]
    times: Times
    medians: Times

    def groups(self) -> list[tuple[list[str], tuple[Fraction | None, ...]]]:
        """Return policies with the same times together, the fastest at the last value first."""
        found: dict[tuple[Fraction | None, ...], list[str]] = {}
        for policy, times in self.times.items():
            found.setdefault(times, []).append(policy)
        return sorted(
            ((names, times) for times, names in found.items()), key=lambda group: (group[1][-1] or 0, group[0])
        )


def curves(results: Results) -> list[Curve]:
    """Return every curve that a store has points of, with two values or more."""
    axes = sorted({(row["workload_name"], row["curve"]) for row in results.points})
    found = [_curve(results, workload, parameter) for workload, parameter in axes]
    return [curve for curve in found if len(curve.values) > 1]


def step(times: Sequence[Fraction]) -> int | None:
    """Return at which place a curve that is level else steps up or down; None if it does not, or more than once."""
    places = [at for at in range(1, len(times)) if times[at] != times[at - 1]]
    return places[0] if len(places) == 1 and len(times) > 2 else None


def _curve(results: Results, workload: str, parameter: str) -> Curve:
    column = f"workload.{parameter}"
    points = [row for row in results.points if (row["workload_name"], row["curve"]) == (workload, parameter)]
    others = _others(points[0], column)
    rows = [
        row
        for row in (*points, *results.rows, *results.measured)
        if row["workload_name"] == workload and _others(row, column) == others and row[SLOWEST] is not None
    ]
    values = tuple(sorted({row[column] for row in rows}))
    times, medians = (_times(rows, column, values, metric) for metric in (SLOWEST, MEDIAN))
    kernels = [kernel for kernel in results.kernels if medians.get(kernel) != times.get(kernel)]
    return Curve(workload, parameter, values, times, {kernel: medians[kernel] for kernel in kernels})


def _times(rows: Sequence[Row], column: str, values: Sequence[int], metric: str) -> Times:
    by_cell: dict[tuple[str, int], dict[int, int]] = {}
    for row in rows:
        by_cell.setdefault((row["policy"], row[column]), {})[row["seed"]] = row[metric]
    return {
        policy: tuple(_mean(by_cell.get((policy, value))) for value in values)
        for policy in sorted({policy for policy, _ in by_cell})
    }


def _others(row: Row, column: str) -> dict[str, object]:
    """Return the workload's parameters but for one."""
    return {name: value for name, value in row.items() if name.startswith("workload.") and name != column}


def _mean(by_seed: dict[int, int] | None) -> Fraction | None:
    return Fraction(sum(by_seed.values()), len(by_seed)) if by_seed else None
