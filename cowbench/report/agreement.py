"""Trials of a real kernel beside those of the model: which policy counts the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cowbench.report.results import KERNEL, Results
from cowbench.schema import Row

COUNTS = ("copies", "false_positive_copies", "leaks", "lost_pins", "lost_gets", "missed_early_copies")
"""What is compared, as far as it can be seen of the kernel."""


@dataclass(frozen=True)
class Difference:
    """A count of one trial that the kernel and a policy disagree on."""

    workload: str
    seed: int
    metric: str
    seen: int
    modelled: int


@dataclass(frozen=True)
class Agreement:
    """How a kernel's trials went beside those of a policy: trials with equal counts, and all differences."""

    kernel: str
    policy: str
    trials: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> int:
        """Trials in which every count agrees."""
        return self.trials - len({(one.workload, one.seed) for one in self.differences})


def agreements(results: Results, kernel: str) -> list[Agreement]:
    """Return a kernel beside every policy that ran the same trials, the one that agrees most often first."""
    every = (*results.rows, *results.points, *results.measured)
    seen = {(row["workload"], row["seed"]): row for row in every if row["policy"] == kernel and _counted(row)}
    by_policy: dict[str, list[Row]] = {}
    for row in every:
        if row["status"] == "ok" and not row["policy"].startswith(KERNEL) and (row["workload"], row["seed"]) in seen:
            by_policy.setdefault(row["policy"], []).append(row)
    found = [_beside(kernel, policy, seen, rows) for policy, rows in by_policy.items()]
    return sorted(found, key=lambda one: (-one.equal, len(one.differences), one.policy))


def uncounted(results: Results, kernel: str) -> dict[str, int]:
    """Return why trials of a kernel have no counts, and how many each time."""
    reasons: dict[str, int] = {}
    for row in (*results.rows, *results.points, *results.measured):
        if row["policy"] == kernel and not _counted(row):
            why = row["error"] or "nothing was counted"
            reasons[why] = reasons.get(why, 0) + 1
    return dict(sorted(reasons.items()))


def _counted(row: Row) -> bool:
    return row["status"] == "ok" and row["copies"] is not None


def _beside(kernel: str, policy: str, seen: dict[tuple[str, int], Row], rows: list[Row]) -> Agreement:
    differences = (one for row in rows for one in _differences(seen[row["workload"], row["seed"]], row))
    return Agreement(kernel, policy, len(rows), tuple(differences))


def _differences(seen: Row, modelled: Row) -> Iterator[Difference]:
    for metric in COUNTS:
        if seen[metric] is not None and seen[metric] != modelled[metric]:
            yield Difference(seen["workload"], seen["seed"], metric, seen[metric], modelled[metric])
