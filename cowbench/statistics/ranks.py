"""Policies across workloads: ranks, Friedman's test and Nemenyi's critical difference. N is the number of workloads.

J. Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7, 2006: seeds of one workload are not
independent answers to the question which policy is better in general, workloads are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cowbench import schema
from cowbench.statistics.field import gather


@dataclass(frozen=True)
class Ranks:
    """Mean ranks of policies over workloads, 1 being the best; ties share their mean rank.

    policies: best first. table: rank of each policy (column) on each workload (row). statistic, p: of Friedman's test,
    corrected for ties; None if `why_not` says why there is none. critical_difference: mean ranks nearer than this are
    not told apart by Nemenyi's test at `alpha`. groups: largest sets of policies that are not told apart, as names in
    order of rank; only sets of two or more. left_out: workloads without a value for each policy.
    """

    metric: str
    alpha: float
    policies: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    table: pd.DataFrame
    statistic: float | None
    p: float | None
    critical_difference: float | None
    groups: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...]
    why_not: str = ""


def rank(
    frame: pd.DataFrame, metric: str = "copies", policies: Sequence[str] | None = None, *, alpha: float = 0.05
) -> Ranks:
    """Return the ranks of policies (all if left out) in a metric over all workloads but controls."""
    field = gather(frame, metric, policies)
    table = field.means()
    higher = schema.METRICS[metric].better == "higher"
    ranks = table.rank(axis=1, ascending=not higher)
    order = sorted(ranks.columns, key=lambda name: (ranks[name].mean(), name))
    average = [float(ranks[name].mean()) for name in order] if len(ranks) else []
    why_not = _why_not(ranks)
    statistic, p = (None, None) if why_not else _friedman(table)
    wide = None if why_not else critical_difference(len(order), len(ranks), alpha)
    groups = () if wide is None else _groups(order, average, wide)
    return Ranks(
        metric,
        alpha,
        tuple(order),
        tuple(average),
        ranks[order],
        statistic,
        p,
        wide,
        groups,
        field.left_out,
        why_not,
    )


def critical_difference(policies: int, workloads: int, alpha: float = 0.05) -> float:
    """Return Nemenyi's critical difference of mean ranks."""
    from scipy import stats

    quantile = float(stats.studentized_range.ppf(1 - alpha, policies, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(policies * (policies + 1) / (6 * workloads))


def _friedman(table: pd.DataFrame) -> tuple[float, float]:
    from scipy import stats

    found = stats.friedmanchisquare(*(table[name].to_numpy() for name in table.columns))
    return float(found.statistic), float(found.pvalue)


def _why_not(ranks: pd.DataFrame) -> str:
    workloads, policies = ranks.shape
    if policies < 3:
        return f"Friedman's test needs three policies, there {'is one' if policies == 1 else f'are {policies}'}"
    if workloads < 2:
        return f"it needs two workloads, there {'is one' if workloads == 1 else 'are none'} that all policies ran"
    if bool((ranks.nunique(axis=1) == 1).all()):
        return "the policies are identical on every workload"
    return ""


def _groups(order: Sequence[str], average: Sequence[float], wide: float) -> tuple[tuple[str, ...], ...]:
    """Return the largest runs of policies whose mean ranks lie within the critical difference."""
    found: list[tuple[str, ...]] = []
    end = 0
    for first in range(len(order)):
        last = max(i for i in range(first, len(order)) if average[i] - average[first] <= wide)
        if last > first and last + 1 > end:
            found.append(tuple(order[first : last + 1]))
            end = last + 1
    return tuple(found)
