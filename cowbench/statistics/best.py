"""How sure it is that a policy is best, and how far the others are from the best of each workload."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.random import SeedSequence

from cowbench import schema
from cowbench.statistics.compare import DEFAULT
from cowbench.statistics.field import gather
from cowbench.statistics.method import Method
from cowbench.statistics.signflip import Floats


def probability_best(
    frame: pd.DataFrame,
    metric: str = "copies",
    policies: Sequence[str] | None = None,
    *,
    resample_workloads: bool = False,
    method: Method = DEFAULT,
) -> pd.Series[float]:
    """Return for each policy the share of bootstrap samples in which its mean rank over workloads is best.

    Stratified: each workload's seeds are drawn anew, the same for every policy, because they are paired; exact
    workloads stay as they are. resample_workloads: draw the workloads too, and so ask about loads like these instead of
    about these. Policies that tie share a sample. Empty without a workload that all policies ran.
    """
    field = gather(frame, metric, policies)
    if not field.values:
        return pd.Series(dtype=np.float64)
    sign = -1.0 if schema.METRICS[metric].better == "higher" else 1.0
    rng = np.random.default_rng(SeedSequence(method.seed, spawn_key=(3,)))
    draws = 2000
    ranks = np.stack([_drawn_ranks(sign * values, draws, rng) for values in field.values.values()])
    if resample_workloads:
        chosen = rng.integers(0, len(ranks), (draws, len(ranks)))
        ranks = ranks[chosen.T, np.arange(draws)]
    total = ranks.sum(axis=0)
    best = np.isclose(total, total.min(axis=1, keepdims=True), rtol=0, atol=1e-9)
    shares = (best / best.sum(axis=1, keepdims=True)).mean(axis=0)
    return pd.Series(shares, index=list(field.policies))


def profile(frame: pd.DataFrame, metric: str = "copies", policies: Sequence[str] | None = None) -> pd.DataFrame:
    """Return for each policy the share of workloads on which it is within a factor of the best (a performance profile).

    Index: the factors at which a share changes, ascending from 1; columns: policies. E. D. Dolan and J. J. Moré,
    Benchmarking optimization software with performance profiles, Math. Programming 91, 2002. Where the best is 0, all
    others are beyond every factor; where lower is better, the factor is value by best, else best by value.
    """
    table = gather(frame, metric, policies).means()
    higher = schema.METRICS[metric].better == "higher"
    best = (table.max(axis=1) if higher else table.min(axis=1)).to_numpy()[:, None]
    values = table.to_numpy()
    top, bottom = (best, values) if higher else (values, best)
    factors = np.where(values == best, 1.0, np.divide(top, bottom, out=np.full(values.shape, np.inf), where=bottom > 0))
    steps = np.unique(factors[np.isfinite(factors)])
    shares = (factors[None] <= steps[:, None, None]).mean(axis=1) if len(table) else np.zeros((0, values.shape[1]))
    return pd.DataFrame(shares, index=pd.Index(steps, name="factor"), columns=table.columns)


def _drawn_ranks(values: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Return ranks of the means of resampled seeds, shape (draws, policies); low is good, ties share their rank.

    Values are whole numbers, so what differs by less than 0.0001 in the mean differs by rounding.
    """
    from scipy import stats

    seeds = values.shape[1]
    times = rng.multinomial(seeds, np.full(seeds, 1 / seeds), draws) if seeds > 1 else np.ones((draws, 1))
    ranks: Floats = stats.rankdata(np.round(times @ values.T / seeds, 4), axis=1)
    return ranks
