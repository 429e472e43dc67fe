"""The paired sign-flip permutation test of the mean, and the intervals that come of inverting it.

If a subject and its baseline differ by chance only, each paired difference is as likely with the other sign (R. A.
Fisher, The Design of Experiments, 1935, section 21). Inverted, the limits are order statistics of the means of all
subsets of the differences (J. A. Hartigan, Using subsample values as typical values, JASA 64, 1969).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from cowbench.statistics.method import Method

Floats = NDArray[np.float64]

_BLOCK = 4096
"""Sign patterns held at a time."""
_ROUNDING = 1e-12
"""Sums that differ by less than this share of the absolute sum are ties: far more than the rounding of sums of
thousands of values, far less than any difference of counts."""


def exact(pairs: int, method: Method) -> bool:
    """Return whether all sign patterns are enumerated: whenever that is no more work than drawing some."""
    return 2 ** (pairs - 1) <= method.flips + 1


def p_values(differences: Floats, method: Method) -> Floats:
    """Return the two-sided p of each row of differences, shape (comparisons, pairs): P(|sum| >= the one seen).

    Rows share the sign patterns, which depend on the number of pairs and `method.seed` alone. Zeros keep their place
    and change nothing. Without pairs p is 1.
    """
    return _tail(differences, method, two_sided=True)


def p_greater(differences: Floats, method: Method) -> Floats:
    """Return the one-sided p of each row against a mean of 0 or less: P(sum >= the one seen)."""
    return _tail(differences, method, two_sided=False)


def reachable(differences: Floats, method: Method) -> Floats:
    """Return the smallest two-sided p that signs could have given to each row.

    2^(1-k) for k differences that are not 0, 1 for none; by Monte Carlo never below 1 / (flips + 1).
    """
    moving = np.count_nonzero(differences, axis=1)
    floor = 0.0 if exact(differences.shape[1], method) else 1 / (method.flips + 1)
    return np.maximum(np.minimum(2.0 ** (1 - moving), 1.0), floor)


def limits(differences: Floats, level: float, method: Method) -> tuple[float, float] | None:
    """Return the shifts that the two-sided test at `level` does not reject: the confidence interval 1 - level.

    None if there are too few pairs for it (2^(1-n) > level). Holds its level if differences lie symmetrically.
    """
    means = _subset_means(differences, method)
    tail = int((len(means) + 1) * level / 2 * (1 + _ROUNDING))
    if tail < 1:
        return None
    ordered = np.partition(means, [tail - 1, len(means) - tail])
    return float(ordered[tail - 1]), float(ordered[len(means) - tail])


def _tail(differences: Floats, method: Method, *, two_sided: bool) -> Floats:
    comparisons, pairs = differences.shape
    if not pairs:
        return np.ones(comparisons)
    slack = _ROUNDING * np.abs(differences).sum(axis=1)
    seen = np.abs(differences.sum(axis=1)) if two_sided else differences.sum(axis=1)
    hits, total = np.zeros(comparisons), 0
    for signs in _patterns(pairs, method):
        sums = signs @ differences.T
        hits += (np.abs(sums) >= seen - slack).sum(axis=0) if two_sided else (sums >= seen - slack).sum(axis=0)
        if not two_sided and exact(pairs, method):
            hits += (-sums >= seen - slack).sum(axis=0)
        total += len(signs) * (1 if two_sided or not exact(pairs, method) else 2)
    return hits / total if exact(pairs, method) else (hits + 1) / (total + 1)


def _patterns(pairs: int, method: Method) -> Iterator[Floats]:
    """Yield signs in blocks of shape (patterns, pairs): a half of all patterns, which the other mirrors, or draws."""
    if exact(pairs, method):
        yield from (1.0 - 2.0 * chosen for chosen in _subsets(pairs, half=True))
        return
    drawn = _drawn(pairs, method.flips, method.seed)
    for first in range(0, method.flips, _BLOCK):
        yield 1.0 - 2.0 * drawn[first : first + _BLOCK].astype(np.float64)


@lru_cache(4)
def _drawn(pairs: int, count: int, seed: int) -> NDArray[np.bool_]:
    """Return random subsets, shape (count, pairs)."""
    rng = np.random.default_rng(SeedSequence(seed, spawn_key=(pairs, 0)))
    return rng.integers(0, 2, (count, pairs), dtype=np.bool_)


def _subsets(pairs: int, *, half: bool = False) -> Iterator[Floats]:
    """Yield 0 and 1 in blocks of shape (subsets, pairs), the empty subset first; half: those without the last pair."""
    count = 2 ** (pairs - half)
    for first in range(0, count, _BLOCK):
        numbers = np.arange(first, min(first + _BLOCK, count))
        yield (numbers[:, None] >> np.arange(pairs) & 1).astype(np.float64)


def _subset_means(differences: Floats, method: Method) -> Floats:
    """Return the means of all subsets that are not empty, or of as many random ones."""
    pairs = len(differences)
    if exact(pairs, method):
        blocks = list(_subsets(pairs))
        blocks[0] = blocks[0][1:]
    else:
        drawn = _drawn(pairs, method.flips, method.seed)
        blocks = [drawn[drawn.any(axis=1)].astype(np.float64)]
    return np.concatenate([block @ differences / block.sum(axis=1) for block in blocks])
