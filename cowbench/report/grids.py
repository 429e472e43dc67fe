"""Workloads of a store that were run over a grid of two of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cowbench.report.results import BROKEN, Results
from cowbench.schema import Row
from cowbench.study.rows import Rows

_METRICS = ("copies", "false_positive_copies", "fork_ns_max")


@dataclass(frozen=True)
class Plane:
    """A workload over two parameters.

    sound: the rows of policies at points where they neither leak nor lose a pin. nobody: points where none does so.
    """

    workload: str
    axes: tuple[str, str]
    sound: Rows
    nobody: Sequence[tuple[Any, Any]]

    @property
    def metrics(self) -> list[str]:
        """By what a policy can be the best: what every trial has, as a workload without forks has no time of them."""
        return [name for name in _METRICS if all(row[name] is not None for row in self.sound.rows)]


def planes(results: Results) -> list[Plane]:
    """Return the planes of a store: workloads of which two parameters and no others vary, each in two values or more.

    At least two policies must have run, and at most of the combinations something.
    """
    by_workload: dict[str, list[Row]] = {}
    for row in (*results.rows, *results.points):
        if not row["sees_truth"]:
            by_workload.setdefault(row["workload_name"], []).append(row)
    return [plane for name, rows in sorted(by_workload.items()) for plane in _plane(name, rows)]


def _plane(workload: str, rows: list[Row]) -> Iterator[Plane]:
    axes = _varying(rows)
    if len(axes) != 2 or len({row["policy"] for row in rows}) < 2:
        return
    columns = [f"workload.{axis}" for axis in axes]
    cells: dict[tuple[Any, ...], dict[str, list[Row]]] = {}
    for row in rows:
        here = cells.setdefault(tuple(row[column] for column in columns), {})
        here.setdefault(row["policy"], []).append(row)
    across, up = ({at[axis] for at in cells} for axis in (0, 1))
    if 2 * len(cells) <= len(across) * len(up):
        return  # two parameters varied one at a time are no plane
    sound = {at: [row for some in here.values() if _sound(some) for row in some] for at, here in cells.items()}
    nobody = sorted((at[0], at[1]) for at, some in sound.items() if not some)
    yield Plane(workload, (axes[0], axes[1]), Rows([row for some in sound.values() for row in some], workload), nobody)


def _varying(rows: Sequence[Row]) -> list[str]:
    names = [name for name in rows[0] if name.startswith("workload.")]
    return [name.removeprefix("workload.") for name in names if len({row[name] for row in rows}) > 1]


def _sound(rows: Sequence[Row]) -> bool:
    """Return whether all trials of a policy at a point went through without a leak or a lost pin."""
    return all(row["status"] == "ok" and not any(row[loss] for loss in BROKEN) for row in rows)
