"""Costs from times: a linear fit of medians, with bootstrap intervals and a say in whether a line fits at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
LEVEL = 0.95
"""Part of the resampled coefficients that an interval holds."""
BEND = 0.3
"""A coefficient that differs by more between the smaller and the larger sizes is called not linear."""
MISS = 0.15
"""A median relative residual above this is called a bad fit."""
LEAST_R2 = 0.98


@dataclass(frozen=True)
class Fit:
    """time = factors @ coefficients. All arrays but `residuals` have one entry a column of factors, the first for 1.

    coefficients: ns, not negative. low, high: the interval of each. lower, upper: the same coefficients from the
    smaller and from the larger half of the sizes alone. residuals: fitted / measured - 1, one a size. r2: of the
    logarithms, so that small sizes count as much as large ones.
    """

    coefficients: Floats
    low: Floats
    high: Floats
    lower: Floats
    upper: Floats
    residuals: Floats
    r2: float

    @property
    def residual(self) -> float:
        """The median relative residual, without sign."""
        return float(np.median(np.abs(self.residuals)))

    def flags(self, column: int) -> list[str]:
        """Return in words why the coefficient of a column is not to be trusted; empty if nothing speaks against it."""
        cost, lower, upper = (float(c[column]) for c in (self.coefficients, self.lower, self.upper))
        words = []
        if column and abs(upper - lower) > BEND * cost:
            words.append(f"not linear: {lower:,.1f} ns over the smaller sizes, {upper:,.1f} ns over the larger")
        if self.residual > MISS or self.r2 < LEAST_R2:
            words.append(f"bad fit: R2 {self.r2:.3f}, residuals {self.residual:.0%} in the median")
        return words


def fit(factors: npt.ArrayLike, times: Sequence[Sequence[int]], sizes: npt.ArrayLike, rng: Generator) -> Fit:
    """Fit the median of each row of `times` (ns, repeats) by non-negative least squares of the relative error.

    factors: one row a size, one column a coefficient, the first all 1. sizes: what tells small rows from large ones.
    The median holds still where a few repeats were disturbed, and unlike the minimum it is what a program meets. The
    intervals are those of rows drawn again with replacement (pairs bootstrap), so they also cover what a line misses.
    """
    columns, sizes = np.asarray(factors, np.float64), np.asarray(sizes)
    medians = np.array([np.median(repeats) for repeats in times])
    coefficients = _solve(columns, medians)
    fitted = np.maximum(columns @ coefficients, 1e-9)
    low, high = _interval(columns / medians[:, None], coefficients, rng)
    middle = np.median(sizes)
    lower, upper = (_solve(columns[half], medians[half]) for half in (sizes <= middle, sizes >= middle))
    logs = np.log(medians)
    r2 = 1 - float(np.sum((logs - np.log(fitted)) ** 2) / max(np.sum((logs - logs.mean()) ** 2), 1e-300))
    return Fit(coefficients, low, high, lower, upper, fitted / medians - 1, r2)


def _solve(columns: Floats, medians: Floats) -> Floats:
    from scipy.optimize import nnls

    scale = columns.max(axis=0)
    solution, _ = nnls(columns / scale / medians[:, None], np.ones(len(medians)))
    return np.asarray(solution / scale, np.float64)


def _interval(relative: Floats, coefficients: Floats, rng: Generator) -> tuple[Floats, Floats]:
    from scipy.optimize import nnls

    rows, unknowns = relative.shape
    scale = relative.max(axis=0)
    rows_drawn = (relative / scale)[rng.integers(rows, size=(RESAMPLES, rows))]
    squares = np.einsum("bij,bik->bjk", rows_drawn, rows_drawn)
    # A draw of one size only cannot tell the coefficients apart: the shortest solution stands for it.
    inverses = np.linalg.pinv(squares, hermitian=True)
    solutions = np.einsum("bjk,bik->bj", inverses, rows_drawn)
    for draw in np.flatnonzero((solutions < 0).any(axis=1)):
        solutions[draw], _ = nnls(rows_drawn[draw], np.ones(rows))
    edges = np.quantile(solutions / scale, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    # Few rows draw too narrow an interval: residuals of a fit are smaller than errors by this factor.
    low, high = np.maximum(coefficients + (edges - coefficients) * np.sqrt(rows / (rows - unknowns)), 0)
    return np.minimum(low, coefficients), np.maximum(high, coefficients)
