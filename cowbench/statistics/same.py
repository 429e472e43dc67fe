"""A/A: one policy held against itself. What is called better or worse here is a false alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import Generator, SeedSequence

from cowbench.statistics import signflip
from cowbench.statistics.compare import DEFAULT
from cowbench.statistics.field import counted
from cowbench.statistics.method import HEADLINE, Method
from cowbench.statistics.pairs import check_metrics, trials
from cowbench.statistics.signflip import Floats


@dataclass(frozen=True)
class FalseAlarms:
    """How often the test called random halves of one policy's own seeds different.

    metric: of which; "all" for all together. cells: (policy, workload) with at least four seeds and not all alike;
    constant: those whose seeds are all alike, on which nothing can be told apart and nothing was. splits: tests made.
    alarms: those with p at most alpha. rate, low, high: their share with its Clopper-Pearson interval, None without
    tests. Every test stands alone here (no Holm), so that the rate shows the level of the test itself.
    """

    metric: str
    cells: int
    constant: int
    splits: int
    alarms: int
    rate: float | None
    low: float | None
    high: float | None


def false_alarms(
    frame: pd.DataFrame, metrics: Sequence[str] = HEADLINE, *, splits: int = 200, method: Method = DEFAULT
) -> list[FalseAlarms]:
    """Split the seeds of each sampled cell at random into halves, pair them at random, and test; `splits` times a cell.

    One entry a metric and one for all. Controls take part: there is one policy only.
    """
    check_metrics(metrics)
    by_cell = trials(frame, metrics)
    hits = {}
    for place, metric in enumerate(metrics):
        rng = np.random.default_rng(SeedSequence(method.seed, spawn_key=(4, place)))
        cells = [np.array(list(counted(cell, metric).values())) for _, cell in sorted(by_cell.items()) if cell.sampled]
        cells = [values for values in cells if len(values) >= 4]
        moving = [values for values in cells if np.ptp(values) > 0]
        alarms = [_alarms(values, splits, rng, method) for values in moving]
        hits[metric] = (len(moving), len(cells) - len(moving), splits * len(moving), sum(alarms))
    cells, constant, tests, alarms = (sum(column) for column in zip(*hits.values(), strict=True))
    found = [_rated(metric, *numbers, method) for metric, numbers in hits.items()]
    return [*found, _rated("all", cells, constant, tests, alarms, method)]


def _alarms(values: Floats, splits: int, rng: Generator, method: Method) -> int:
    half = len(values) // 2
    shuffled = rng.permuted(np.tile(values, (splits, 1)), axis=1)
    one, other = shuffled[:, :half], shuffled[:, half : 2 * half]
    effects = np.log(one / other) if values.min() > 0 else one - other
    return int((signflip.p_values(effects, method) <= method.alpha).sum())


def _rated(metric: str, cells: int, constant: int, splits: int, alarms: int, method: Method) -> FalseAlarms:
    from scipy import stats

    if not splits:
        return FalseAlarms(metric, cells, constant, 0, 0, None, None, None)
    low, high = stats.binomtest(alarms, splits).proportion_ci(1 - method.alpha)
    return FalseAlarms(metric, cells, constant, splits, alarms, alarms / splits, float(low), float(high))
