"""Comparisons of policies with a baseline, and of two stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from cowbench.statistics.judge import judge
from cowbench.statistics.method import HEADLINE, Method
from cowbench.statistics.pairs import NO_TRIALS, Pairs, check_known, check_metrics, pair_up, trials
from cowbench.statistics.result import Family

DEFAULT = Method()


def controls(frame: pd.DataFrame) -> list[str]:
    """Return the workloads on which no policy should differ, sorted."""
    return sorted(frame.loc[frame["control"].fillna(False), "workload"].astype(str).unique())


def points(frame: pd.DataFrame) -> list[str]:
    """Return the workloads that are points of a curve beside others of their name, and would weigh twice, sorted."""
    on_curve = frame["curve"].fillna("") != ""
    others = set(frame.loc[~on_curve, "workload_name"])
    return sorted(frame.loc[on_curve & frame["workload_name"].isin(others), "workload"].astype(str).unique())


def left_out(frame: pd.DataFrame) -> list[str]:
    """Return the workloads that stand in no comparison across workloads: controls and points of curves."""
    return [*controls(frame), *points(frame)]


def compare(
    frame: pd.DataFrame,
    baseline: str,
    metrics: Sequence[str] = HEADLINE,
    *,
    workloads: Sequence[str] | None = None,
    method: Method = DEFAULT,
) -> Family:
    """Hold every other policy against `baseline`, on each metric and workload: one family of comparisons.

    frame: rows as `cowbench.load` gives them. workloads: all but controls and points of curves if left out. Ordered by
    workload, metric, policy. Raises ParameterError for a baseline, metric or workload that is not there.
    """
    check_metrics(metrics)
    check_known("policy", baseline, sorted(frame["policy"].astype(str).unique()))
    names = sorted(frame["workload"].astype(str).unique())
    for workload in workloads or ():
        check_known("workload", workload, names)
    unasked = left_out(frame) if workloads is None else []
    chosen = [name for name in (names if workloads is None else workloads) if name not in unasked]
    by_cell = trials(frame, metrics)
    pairs: list[Pairs] = []
    for (policy, workload), own in by_cell.items():
        if policy != baseline and workload in chosen:
            other = by_cell.get((baseline, workload), NO_TRIALS)
            pairs += pair_up(own, other, metrics, policy=policy, against=baseline, workload=workload)
    order = {metric: place for place, metric in enumerate(metrics)}
    return judge(sorted(pairs, key=lambda one: (one.workload, order[one.metric], one.policy)), method)


def compare_stores(
    before: pd.DataFrame,
    after: pd.DataFrame,
    metrics: Sequence[str] = HEADLINE,
    *,
    names: tuple[str, str] = ("before", "after"),
    method: Method = DEFAULT,
) -> Family:
    """Hold each cell of `after` against the same policy and workload in `before`: one family of comparisons.

    Verdicts are those of `after`; `against` is the first of `names`. A cell that only one of both has is untestable.
    Raises ParameterError for a metric that is not there.
    """
    check_metrics(metrics)
    old, new = trials(before, metrics), trials(after, metrics)
    pairs: list[Pairs] = []
    for policy, workload in sorted({*old, *new}):
        left, right = (side.get((policy, workload), NO_TRIALS) for side in (new, old))
        pairs += pair_up(left, right, metrics, policy=policy, against=names[0], workload=workload)
    return replace(judge(pairs, method), between="stores")
