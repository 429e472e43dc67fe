"""Holm's procedure, once and over looks at growing data."""

from __future__ import annotations

import numpy as np

from cowbench.statistics.signflip import Floats


def holm(p: Floats) -> Floats:
    """Return p adjusted for all of them: what is at most alpha may be called shown, with any false alarm at most alpha.

    S. Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6, 1979.
    """
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def reached(p: Floats, smallest: Floats) -> Floats:
    """Return what each adjusted p would be if that one p alone had been the smallest its data could give."""
    adjusted = np.empty(len(p))
    for i, best in enumerate(smallest):
        changed = p.copy()
        changed[i] = best
        adjusted[i] = holm(changed)[i]
    return adjusted
