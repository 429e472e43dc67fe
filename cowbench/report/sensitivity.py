"""How far verdicts about fork latency hang on costs that are only assumed: recomputed from rows, nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from cowbench.costs import FORK_ENTRIES, CostProfile, mean_fork_ns
from cowbench.schema import Row

Times = dict[str, dict[str, Fraction]]
"""workload -> policy -> mean over seeds of the mean modelled fork time, in ns."""

FACTORS = (0.5, 2.0)


@dataclass(frozen=True)
class Change:
    """What one cost at `factor` times its value changes.

    turned: pairs of policies on a workload whose order turns. parted: pairs that were equal and differ now, or the
    other way round. slowdown: how many times the fastest policy's time the slowest takes, on the workload where most.
    """

    entry: str
    factor: float
    turned: int
    parted: int
    slowdown: Fraction


def changes(rows: Sequence[Row], profile: CostProfile) -> Iterator[Change]:
    """Yield the effect of halving and doubling each assumed cost that fork times depend on."""
    before = fork_times(rows, profile)
    for entry in FORK_ENTRIES:
        for factor in FACTORS if profile.costs[entry].assumed else ():
            after = fork_times(rows, profile.scaled(entry, factor))
            signs = list(zip(_orders(before), _orders(after), strict=True))
            turned = sum(was * now < 0 for was, now in signs)
            parted = sum((was == 0) != (now == 0) for was, now in signs)
            yield Change(entry, factor, turned, parted, slowdown(after))


def fork_times(rows: Iterable[Row], profile: CostProfile) -> Times:
    """Return modelled fork times under a profile, from the totals that rows carry."""
    means: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        if row["forks"] and row["forks_allocations"] is not None:  # a real kernel tells no more than its times
            by_policy = means.setdefault(row["workload"], {})
            by_policy.setdefault(row["policy"], []).append(mean_fork_ns(row, profile) or 0)
    return {
        workload: {policy: Fraction(sum(times), len(times)) for policy, times in by_policy.items()}
        for workload, by_policy in means.items()
    }


def differing(times: Times) -> int:
    """Return how many pairs of policies differ on a workload, over all workloads."""
    return sum(order != 0 for order in _orders(times))


def slowdown(times: Times) -> Fraction:
    """Return the largest ratio of two policies' times on one workload."""
    ratios = [
        max(by_policy.values()) / min(by_policy.values()) for by_policy in times.values() if min(by_policy.values())
    ]
    return max(ratios, default=Fraction(1))


def _orders(times: Times) -> Iterator[int]:
    """Yield for each pair of policies on a workload which is slower: 1, -1, or 0 for neither."""
    for by_policy in times.values():
        for one, other in combinations(by_policy.values(), 2):
            yield (one > other) - (one < other)
