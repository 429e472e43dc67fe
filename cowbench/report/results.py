"""What sections are drawn from: the rows of a store, and the questions that several sections ask of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Self

from cowbench import summary
from cowbench.costs import CostProfile, parse_profile
from cowbench.schema import Row
from cowbench.summary import Table

VERBS = {"leaks": "leaks", "lost_pins": "loses pins", "lost_gets": "loses FOLL_GET references"}
"""Outcomes that no policy may have, worst first: a reader sees what it must not, or stops seeing what it must."""
LOSSES = tuple(VERBS)


@dataclass(frozen=True)
class Results:
    """Rows of trials and the runs they come from. baseline: the policy that the others are compared with, if one was
    asked for. points: rows that are points of curves, and stand in no sum.
    """

    rows: Sequence[Row]
    runs: Sequence[dict[str, Any]]
    baseline: str | None = None
    points: Sequence[Row] = ()

    @classmethod
    def of(cls, rows: Sequence[Row], runs: Sequence[dict[str, Any]], baseline: str | None = None) -> Self:
        """Return the results of a store's rows."""
        compared = summary.compared(rows)
        return cls(compared, runs, baseline, [row for row in rows if row["curve"]])

    @cached_property
    def policies(self) -> list[str]:
        """Specs of all policies, sorted; those that see the truth come last."""
        return sorted(summary.names(self.rows, "policy"), key=lambda policy: policy in self.oracles)

    @cached_property
    def oracles(self) -> frozenset[str]:
        """Policies that see what no kernel can: yardsticks, not candidates."""
        return frozenset(row["policy"] for row in self.rows if row["sees_truth"])

    @cached_property
    def workloads(self) -> list[str]:
        """Specs of all workloads, sorted."""
        return summary.names(self.rows, "workload")

    def table(self, metric: str) -> Table:
        """Return a metric for each (policy, workload)."""
        return summary.table(self.rows, metric)

    @cached_property
    def common(self) -> list[str]:
        """Workloads on which every policy ran the same seeds to the end: only these can be summed and compared."""
        seeds: dict[tuple[str, str], list[int]] = {}
        for row in self.rows:
            if row["status"] == "ok":
                seeds.setdefault((row["policy"], row["workload"]), []).append(row["seed"])
        return [
            workload
            for workload in self.workloads
            if len({tuple(seeds.get((policy, workload), ())) for policy in self.policies}) == 1
            and (self.policies[0], workload) in seeds
        ]

    def sums(self, metric: str) -> dict[str, Fraction]:
        """Return for each policy the sum over the common workloads of a metric's mean over seeds."""
        table = self.table(metric)
        return {
            policy: sum((table[policy, workload].mean or Fraction() for workload in self.common), Fraction())
            for policy in self.policies
        }

    def where(self, policy: str, metric: str) -> dict[str, int | Fraction]:
        """Return the workloads on which a count of a policy is not 0, with its sum over seeds."""
        found = {
            workload: sum(cell.values)
            for (other, workload), cell in self.table(metric).items()
            if other == policy and any(cell.values)
        }
        return dict(sorted(found.items()))

    def losses(self, policy: str) -> list[str]:
        """Return what a policy leaks or loses somewhere, in words; empty if nothing."""
        return [words for loss, words in VERBS.items() if self.where(policy, loss)]

    @cached_property
    def ranking(self) -> list[str]:
        """Policies by the kinds of losses they have, leaks being the worst, then by copies."""
        copies = self.sums("copies")
        lost = {policy: [bool(self.where(policy, loss)) for loss in LOSSES] for policy in self.policies}
        return sorted(self.policies, key=lambda policy: (*lost[policy], copies[policy], policy))

    @cached_property
    def profile(self) -> CostProfile | None:
        """The cost profile behind all rows; None if there are several or none."""
        texts = {run["profile"] for run in self.runs if "profile" in run}
        return parse_profile(texts.pop()) if len(texts) == 1 else None
