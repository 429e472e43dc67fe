"""From pairs to verdicts: the whole declared family at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cowbench import schema
from cowbench.statistics import signflip
from cowbench.statistics.decide import Decision, bound, decide
from cowbench.statistics.intervals import Estimate, constant, estimates
from cowbench.statistics.method import Method
from cowbench.statistics.pairs import Pairs
from cowbench.statistics.planning import more_seeds
from cowbench.statistics.result import Comparison, Family, Verdict
from cowbench.statistics.signflip import Floats


def judge(pairs: Sequence[Pairs], method: Method) -> Family:
    """Return the verdict of every comparison, in the order given. The sampled ones are the family."""
    sampled = [one for one in pairs if one.sampled]
    tests = dict(zip(map(id, sampled), decide(sampled, method), strict=True))
    kept = [tests[id(one)].pairs if id(one) in tests else one for one in pairs]
    differences = _estimated([one.differences for one in kept], method)
    ratios = [None if found is None else _exp(found) for found in _estimated([one.log_ratios for one in kept], method)]
    return Family(
        tuple(
            _comparison(one, tests.get(id(before)), difference, ratio, method)
            for before, one, difference, ratio in zip(pairs, kept, differences, ratios, strict=True)
        ),
        len(sampled),
        method,
    )


def _estimated(rows: Sequence[Floats | None], method: Method) -> list[Estimate | None]:
    """Estimate what is there."""
    there = [row for row in rows if row is not None and len(row)]
    found = iter(estimates(there, method))
    return [next(found) if row is not None and len(row) else None for row in rows]


def _exp(found: Estimate) -> Estimate:
    low, high = (None if limit is None else float(np.exp(limit)) for limit in (found.low, found.high))
    return Estimate(float(np.exp(found.value)), low, high, found.way)


def _comparison(
    pairs: Pairs, test: Decision | None, difference: Estimate | None, ratio: Estimate | None, method: Method
) -> Comparison:
    count = len(pairs.seeds)
    gain = -pairs.differences if schema.METRICS[pairs.metric].better == "lower" else pairs.differences
    wins, losses = int((gain > 0).sum()), int((gain < 0).sum())
    fixed = count > 1 and constant(pairs.subject) and constant(pairs.baseline)
    verdict = _verdict(pairs, gain, test, method)
    undecided = verdict in ("no difference shown", "untestable")
    exact = test is None or (fixed and not undecided)
    tested = None if exact else test
    return Comparison(
        policy=pairs.policy,
        against=pairs.against,
        workload=pairs.workload,
        metric=pairs.metric,
        exact=exact,
        verdict=verdict,
        pairs=count,
        missing=pairs.missing,
        why=pairs.why,
        policy_mean=float(pairs.subject.mean()) if count else None,
        against_mean=float(pairs.baseline.mean()) if count else None,
        difference=difference,
        ratio=ratio,
        wins=wins,
        ties=count - wins - losses,
        losses=losses,
        cliffs_delta=(wins - losses) / count if count else None,
        p=tested.p if tested else None,
        p_adjusted=tested.adjusted if tested else None,
        p_reachable=tested.reachable if tested else None,
        showable=_showable(test, method) if test and verdict == "no difference shown" else None,
        more_seeds=more_seeds(pairs.effects, test.threshold) if test and undecided else None,
    )


def _verdict(pairs: Pairs, gain: Floats, test: Decision | None, method: Method) -> Verdict:
    if not len(gain):
        return "untestable"
    if not gain.any():
        return "identical"
    if test is None:
        within = method.margin is not None and abs(float(pairs.effects[0])) <= bound(pairs, method.margin)
        return "equivalent" if within else "better" if gain[0] > 0 else "worse"
    if test.equivalent:
        return "equivalent"
    if test.shown:
        # Effects may be logarithms: their sum, which was tested, has the say, not that of the differences.
        lower = schema.METRICS[pairs.metric].better == "lower"
        return "better" if (pairs.effects.sum() < 0) == lower else "worse"
    return "untestable" if test.reachable > method.alpha else "no difference shown"


def _showable(test: Decision, method: Method) -> float | None:
    """Return the smallest shift of what was seen, freed of its own mean, that the test would have called shown."""
    effects = test.pairs.effects
    limits = signflip.limits(effects - effects.mean(), test.threshold, method)
    if limits is None:
        return None
    shift = max(-limits[0], limits[1])
    return float(np.expm1(shift)) if test.pairs.log_ratios is not None else shift
