"""How many more seeds would settle a comparison."""

from __future__ import annotations

import math

import numpy as np

from cowbench.statistics.signflip import Floats

POWER = 0.8
"""Chance of settling a comparison with the seeds that are advised, if the effect is what it looks like."""
MOST = 1000
"""Beyond so many seeds no number is advised: the effect, if any, is too small to be sure of its size."""


def more_seeds(effects: Floats, threshold: float) -> int | None:
    """Return how many further seeds would bring p to `threshold` with a chance of POWER.

    None if that makes more than MOST.

    From the normal approximation of the sign-flip test, and never fewer than can reach `threshold` at all given the
    share of differences that are not 0.
    """
    moving = np.count_nonzero(effects) / max(len(effects), 1)
    if not moving or not threshold:
        return None
    from scipy import stats

    needed = (1 - math.log2(threshold)) / float(moving)
    spread = float(effects.std(ddof=1)) if len(effects) > 1 else 0.0
    if spread:
        reach = float(stats.norm.isf(threshold / 2) + stats.norm.ppf(POWER))
        centre = abs(float(effects.mean()))
        needed = max(needed, (reach * spread / centre) ** 2 if centre else math.inf)
    return max(1, math.ceil(needed) - len(effects)) if needed <= MOST else None
