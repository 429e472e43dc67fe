"""Policies side by side on every workload that all of them ran: what ranks and probabilities are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cowbench.statistics.compare import left_out
from cowbench.statistics.pairs import NO_TRIALS, Trials, check_known, check_metrics, trials
from cowbench.statistics.signflip import Floats


@dataclass(frozen=True)
class Field:
    """A metric of several policies. values: workload -> shape (policies, seeds), the same seeds for every policy.

    left_out: workloads on which some policy lacks a seed that another has. In neither are controls, points of curves,
    and workloads to which the metric does not apply.
    """

    metric: str
    policies: tuple[str, ...]
    values: dict[str, Floats]
    left_out: tuple[str, ...]

    def means(self) -> pd.DataFrame:
        """Return means over seeds, workloads by policies."""
        rows = {workload: values.mean(axis=1) for workload, values in self.values.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(self.policies), dtype=np.float64)


def gather(frame: pd.DataFrame, metric: str, policies: Sequence[str] | None = None) -> Field:
    """Return a metric of policies (all if left out, sorted). Raises ParameterError for names that are not there."""
    check_metrics([metric])
    known = sorted(frame["policy"].astype(str).unique())
    for policy in policies or ():
        check_known("policy", policy, known)
    names = tuple(known if policies is None else policies)
    by_cell = trials(frame, [metric])
    values: dict[str, Floats] = {}
    partial = []
    for workload in sorted({workload for _, workload in by_cell} - set(left_out(frame))):
        sides = [counted(by_cell.get((policy, workload), NO_TRIALS), metric) for policy in names]
        if any(sides) and all(side.keys() == sides[0].keys() for side in sides):
            values[workload] = np.array([[side[seed] for seed in sorted(side)] for side in sides])
        elif any(sides):
            partial.append(workload)
    return Field(metric, names, values, tuple(partial))


def counted(cell: Trials, metric: str) -> dict[int, float]:
    """Return the values of trials that ran to the end, by seed."""
    ended = {seed: cell.values[seed][metric] for seed, status in cell.status.items() if status == "ok"}
    return {seed: value for seed, value in ended.items() if not np.isnan(value)}
