"""What sections are drawn from: the rows of a store, and the questions that several sections ask of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from cowbench import summary
from cowbench.checks import Check
from cowbench.costs import CostProfile, parse_profile
from cowbench.history.files import Results as Commit
from cowbench.schema import Row
from cowbench.store import Store
from cowbench.study import searching
from cowbench.summary import MISSING, Table

if TYPE_CHECKING:
    import pandas as pd

    from cowbench.search.outcome import Proposal
    from cowbench.statistics import Family, Method

VERBS = {"leaks": "leaks", "lost_pins": "loses pins", "lost_gets": "loses FOLL_GET references"}
"""Outcomes that no policy may have, worst first: a reader sees what it must not, or stops seeing what it must."""
LOSSES = tuple(VERBS)
BROKEN = LOSSES[:2]
"""Losses that no candidate may have: FOLL_GET references are documented to break, pins and isolation are not."""

KERNEL = "kernel:"
"""Rows of a real kernel have this and its release for a policy."""


@dataclass(frozen=True)
class StudyRows:
    """A study that was run: its name, its text (a TOML file) and the rows of its own grid."""

    name: str
    text: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Results:
    """Rows of trials and the runs they come from.

    baseline: the policy that the others are compared with, if one was asked for. points: rows that are points of
    curves, and stand in no sum. trace: the trial to follow, "POLICY,WORKLOAD,SEED", if one was asked for. checks: of
    the model against kernels. measured: rows that ran on a real kernel, if others ran on the model: a kernel has
    seldom run all workloads, and must not take the others out of sums. versus: this store's rows held against those of
    another, if one was asked for. history: asv results, in order of commits.
    studies: the studies that were run, with their rows, which stand nowhere else.
    """

    rows: Sequence[Row]
    runs: Sequence[dict[str, Any]]
    baseline: str | None = None
    points: Sequence[Row] = ()
    trace: str | None = None
    checks: Sequence[Check] = ()
    measured: Sequence[Row] = ()
    history: Sequence[Commit] = ()
    studies: Sequence[StudyRows] = ()
    searched: Proposal | None = None
    versus: Family | None = None

    @classmethod
    def of(
        cls, store: Store, baseline: str | None = None, trace: str | None = None, history: Sequence[Commit] = ()
    ) -> Self:
        """Read the results of a store."""
        every = store.rows()
        points = [row for row in every if row["curve"]]
        rows = summary.compared(every)
        modelled = [row for row in rows if not row["policy"].startswith(KERNEL)]
        measured = [row for row in rows if row["policy"].startswith(KERNEL)] if modelled else []
        studies = [StudyRows(name, text, store.rows(name)) for name, text in store.studies().items()]
        kept = (store.checks(), measured, history, studies, searching.kept(store))
        return cls(modelled or rows, store.runs(), baseline, points, trace, *kept)

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
        """Return a metric for each (policy, workload), real kernels among the policies.

        It is the same dict each time, so do not change it.
        """
        if metric not in self._tables:
            self._tables[metric] = summary.table((*self.rows, *self.measured), metric)
        return self._tables[metric]

    @cached_property
    def _tables(self) -> dict[str, Table]:
        return {}

    @cached_property
    def finished(self) -> list[str]:
        """Policies that ran anything to the end; the others have no numbers."""
        ran = {row["policy"] for row in self.rows if row["status"] == "ok"}
        return [policy for policy in self.policies if policy in ran]

    @cached_property
    def common(self) -> list[str]:
        """Workloads on which every finished policy ran the same seeds to the end: only these can be summed."""
        seeds: dict[tuple[str, str], list[int]] = {}
        for row in self.rows:
            if row["status"] == "ok":
                seeds.setdefault((row["policy"], row["workload"]), []).append(row["seed"])
        ran = {workload: [seeds.get((policy, workload)) for policy in self.finished] for workload in self.workloads}
        whole = {name for name, lists in ran.items() if lists and lists[0] and lists.count(lists[0]) == len(lists)}
        return [workload for workload in self.workloads if workload in whole]

    def sums(self, metric: str) -> dict[str, Fraction]:
        """Return for each policy the sum over the common workloads of a metric's mean over seeds."""
        table = self.table(metric)
        return {
            policy: sum((table.get((policy, name), MISSING).mean or Fraction() for name in self.common), Fraction())
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

    def keeps(self, policy: str, losses: Sequence[str] = LOSSES) -> bool:
        """Return whether a policy has none of these losses anywhere."""
        return not any(self.where(policy, loss) for loss in losses)

    def least(self, losses: Sequence[str] = LOSSES) -> list[str]:
        """Return the candidates without these losses, oracles aside, by copies; empty if nothing can be summed."""
        copies = self.sums("copies")
        clean = [policy for policy in self.finished if policy not in self.oracles and self.keeps(policy, losses)]
        return sorted(clean, key=lambda policy: (copies[policy], policy)) if self.common else []

    @cached_property
    def best(self) -> str | None:
        """The policy with the fewest copies of those that leak nothing and lose no pin; None if all do."""
        return next(iter(self.least(BROKEN)), None)

    @cached_property
    def kernels(self) -> list[str]:
        """What stands in place of a policy for rows that ran on a real kernel, sorted."""
        names = summary.names((*self.rows, *self.points, *self.measured), "policy")
        return [name for name in names if name.startswith(KERNEL)]

    @cached_property
    def everyone(self) -> list[str]:
        """All policies, then the kernels that are shown beside them."""
        return [*self.policies, *summary.names(self.measured, "policy")]

    @cached_property
    def files(self) -> dict[str, str]:
        """The files of plug-ins that are not built in, by their specs."""
        return {name: file for run in self.runs for name, file in run.get("files", {}).items()}

    @cached_property
    def reference(self) -> str | None:
        """The policy that the others are compared with: the baseline that was asked for, else the best, else any."""
        return self.baseline or self.best or next(iter(self.finished), None)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The rows as `cowbench.load` gives them."""
        from cowbench.frame import to_frame

        return to_frame(self.rows)

    @cached_property
    def family(self) -> Family | None:
        """Every other policy held against the reference on the headline metrics; None if there is none to compare."""
        from cowbench import statistics

        if not self.reference or len(self.policies) < 2:
            return None
        return statistics.compare(self.frame, self.reference, method=self.method)

    @cached_property
    def method(self) -> Method:
        """How to compare: by the looks that the store was grown by, if it was."""
        from cowbench.statistics import Method
        from cowbench.statistics.growth import looks_of

        return Method(looks=looks_of(self.runs))

    @cached_property
    def ranking(self) -> list[str]:
        """Policies by whether they leak and whether they lose pins, then by copies."""
        copies = self.sums("copies")
        lost = {policy: [bool(self.where(policy, loss)) for loss in BROKEN] for policy in self.policies}
        return sorted(self.policies, key=lambda policy: (*lost[policy], copies[policy], policy))

    @cached_property
    def profile(self) -> CostProfile | None:
        """The cost profile behind all rows; None if there are several or none."""
        texts = {run["profile"] for run in self.runs if "profile" in run}
        return parse_profile(texts.pop()) if len(texts) == 1 else None
