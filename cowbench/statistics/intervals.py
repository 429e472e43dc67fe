"""Estimates of a paired difference with a confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import SeedSequence

from cowbench.statistics import signflip
from cowbench.statistics.method import BCA_PAIRS, Method
from cowbench.statistics.signflip import Floats

_BATCH = 250
"""Resamples held at a time."""

Way = Literal["exact", "Hodges-Lehmann", "BCa"]


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval 1 - alpha, for this comparison alone.

    low, high: None if the value is exact, and then needs none, or if there are too few pairs for one.
    """

    value: float
    low: float | None
    high: float | None
    way: Way


def hodges_lehmann(differences: Floats) -> float:
    """Return the median of the means of all pairs of differences, each with itself too (Hodges and Lehmann, 1963)."""
    first, second = np.triu_indices(len(differences))
    return float(np.median((differences[first] + differences[second]) / 2))


def estimates(rows: Sequence[Floats], method: Method) -> list[Estimate]:
    """Return the difference of each comparison from its paired differences, shape (pairs,), at least one.

    The same on every pair: exact. Below 15 pairs: Hodges-Lehmann with the inverted sign-flip test. From 15: the mean
    with BCa (B. Efron, Better bootstrap confidence intervals, JASA 82, 1987).
    """
    found = {i: _small(row, method) for i, row in enumerate(rows) if constant(row) or len(row) < BCA_PAIRS}
    for size in {len(row) for i, row in enumerate(rows) if i not in found}:
        chosen = [i for i, row in enumerate(rows) if i not in found and len(row) == size]
        stacked = np.stack([rows[i] for i in chosen])
        for i, mean, (low, high) in zip(chosen, stacked.mean(axis=1), bca(stacked, method), strict=True):
            found[i] = Estimate(float(mean), float(low), float(high), "BCa")
    return [found[i] for i in range(len(rows))]


def constant(values: Floats) -> bool:
    """Return whether values are all the same, up to the rounding of logarithms."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _small(differences: Floats, method: Method) -> Estimate:
    if constant(differences):
        return Estimate(float(differences[0]), None, None, "exact")
    low, high = signflip.limits(differences, method.alpha, method) or (None, None)
    return Estimate(hodges_lehmann(differences), low, high, "Hodges-Lehmann")


def bca(differences: Floats, method: Method) -> Floats:
    """Return the limits of each row's mean, shape (comparisons, 2); no row may be constant.

    Rows are resampled alike, in a way that depends on the number of pairs and `method.seed` alone.
    """
    from scipy import stats

    rng = np.random.default_rng(SeedSequence(method.seed, spawn_key=(differences.shape[1], 2)))
    found = stats.bootstrap(
        (differences,),
        np.mean,
        axis=-1,
        confidence_level=1 - method.alpha,
        n_resamples=method.resamples,
        batch=_BATCH,
        method="BCa",
        rng=rng,
    ).confidence_interval
    return np.stack([found.low, found.high], axis=-1)
