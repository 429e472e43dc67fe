"""How often pages are written and how unevenly, from when each was written first after a fork.

Model: writes come at a steady rate; the page of rank r is hit with probability proportional to r ** -skew. Which page
has which rank is not known, so a page's likelihood is the mean over all ranks (a mixture). A page's first write in a
life of T is known to lie in one of some slices, or not to come within T: the likelihood of an exponential waiting time,
interval-censored. Pages are taken as independent, which they are if writes come as a Poisson process.
The skew is that of maximum likelihood; its interval holds what the likelihood ratio does not reject at 5 %, the rate
free (profile likelihood). The rate is then the one that writes the share of pages that was written (occupancy), so
that it is right about copies also where writes did not come steadily; its interval goes from the least skew and share
to the largest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cowbench.recorded.first_writes import NEVER, NOT_SHARED, FirstWrites

GROUPS = 40
"""Groups of neighbouring ranks that share one rate."""
DROP = 1.920729
"""Half of the 95 % point of chi-squared with one degree of freedom."""
STEEPEST = 0.99
"""Largest skew that is tried."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """Pages that were written, of those that were shared, in all lives together; seconds: a mean life."""

    written: int
    shared: int
    seconds: float

    @property
    def value(self) -> float:
        """The share; if all were written, half a page less, for nothing would tell how often."""
        return min(self.written, self.shared - 0.5) / self.shared

    def rate(self, pages: int, skew: float, value: float) -> float:
        """Return the rate at which a share of `value` of `pages` is written in a mean life."""
        from scipy.optimize import brentq

        weights, chances = ranks(pages, skew)
        value = min(max(value, 1e-12), 1 - 0.5 / self.shared)
        even = math.log(-math.log1p(-value) * pages)  # writes in a life; it takes more if they are uneven

        def over(writes: float) -> float:
            return float((weights * -np.expm1(-math.exp(writes) * chances)).sum()) - value

        return math.exp(brentq(over, even - 1, even + 20)) / self.seconds


@dataclass(frozen=True)
class Popularity:
    """rate: writes per second, several in one page counted each. skew: exponent of popularity by rank."""

    rate: Interval
    skew: Interval

    def written(self, pages: int, seconds: float) -> float:
        """Return the share of `pages` that are written within some seconds."""
        weights, chances = ranks(pages, self.skew.value)
        return float((weights * -np.expm1(-self.rate.value * seconds * chances)).sum())


def ranks(pages: int, skew: float) -> tuple[Floats, Floats]:
    """Return groups of ranks: their share of all pages, and the chance of a write to hit one given page of each."""
    bounds = np.unique(np.round(np.geomspace(1, pages + 1, min(pages, GROUPS) + 1)).astype(np.int64))
    sums = np.concatenate(([0.0], np.cumsum(np.arange(1.0, pages + 1) ** -skew)))
    sizes = np.diff(bounds)
    chances = np.diff(sums[bounds - 1]) / sizes / sums[-1]
    return sizes / pages, chances


def popularity(found: FirstWrites, pages: int, share: Share) -> Popularity:
    """Estimate from first writes of a process with `pages` pages, of which it wrote `share`; not nothing."""
    from scipy.optimize import minimize_scalar

    surface = _Surface(found, pages)
    best = minimize_scalar(surface.over_rate, bounds=(0.0, STEEPEST), method="bounded", options={"xatol": 1e-3})
    skew, least = min(((s, surface.over_rate(s)) for s in (0.0, float(best.x), STEEPEST)), key=lambda pair: pair[1])
    low, high = _ends(surface.over_rate, skew, least, (0.0, STEEPEST))
    error = 1.96 * math.sqrt(share.value * (1 - share.value) / share.shared)  # at most: draws of one page are not free
    rates = ((skew, share.value), (low, share.value - error), (high, share.value + error))
    return Popularity(Interval(*(share.rate(pages, *one) for one in rates)), Interval(skew, low, high))


def _ends(
    profile: Callable[[float], float], best: float, least: float, within: tuple[float, float]
) -> tuple[float, float]:
    """Return where a profile rises by DROP on either side of its best; a bound of `within` if it does not."""
    from scipy.optimize import brentq

    ends = []
    for bound in within:
        if bound == best or profile(bound) - least < DROP:
            ends.append(bound)
        else:
            ends.append(float(brentq(lambda x: profile(x) - least - DROP, best, bound, xtol=1e-3)))
    return ends[0], ends[1]


class _Surface:
    """Minus the log-likelihood over the logarithm of the rate per second, and the skew."""

    def __init__(self, found: FirstWrites, pages: int) -> None:
        self._found, self._pages = found, pages
        self._guess = self._even_rate()

    def over_rate(self, skew: float) -> float:
        """Return the least at this skew, over all rates."""
        return self.at(self.best_rate(skew), skew)

    def best_rate(self, skew: float) -> float:
        """Return the logarithm of the best rate at a skew."""
        from scipy.optimize import minimize_scalar

        bounds = (self._guess - 1, self._guess + 4)  # uneven writes take more to reach as many pages
        found = minimize_scalar(
            lambda rate: self.at(rate, skew), bounds=bounds, method="bounded", options={"xatol": 1e-4}
        )
        return float(found.x)

    def at(self, rate: float, skew: float) -> float:
        """Return minus the log-likelihood."""
        weights, chances = ranks(self._pages, skew)
        per_ms = np.exp(rate) / 1000 * chances
        logs = np.zeros((len(self._found.seen), len(chances)))
        for life, ends in enumerate(self._found.edges):
            logs += _chances(ends, per_ms)[self._found.seen[:, life]]
        highest = logs.max(axis=1)
        pages = highest + np.log(np.exp(logs - highest[:, None]) @ weights)
        return -float(pages @ self._found.repeats)

    def _even_rate(self) -> float:
        """Return the logarithm of the rate that would write as many pages if all were written alike."""
        written = exposed = 0.0
        for life, ends in enumerate(self._found.edges):
            seen = self._found.seen[:, life]
            hit = float(self._found.repeats[seen < NEVER].sum())
            shared = float(self._found.repeats[seen < NOT_SHARED].sum())
            written += -np.log1p(-min(hit / shared, 1 - 0.5 / shared)) if shared else 0.0
            exposed += ends[-1] / 1000
        return float(np.log(max(written, 1e-12) / exposed * self._pages))


def _chances(ends: Floats, per_ms: Floats) -> Floats:
    """Return the logarithms of the chances of each slice (by number), NEVER and NOT_SHARED, for each group of ranks."""
    table = np.zeros((256, len(per_ms)))
    starts = np.concatenate(([0.0], ends[:-1]))
    table[: len(ends)] = -np.outer(starts, per_ms) + np.log(-np.expm1(-np.outer(ends - starts, per_ms)))
    table[NEVER] = -ends[-1] * per_ms
    return table
