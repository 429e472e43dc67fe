"""From pairs to verdicts: the whole declared family at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cowbench import schema
from cowbench.statistics import signflip
from cowbench.statistics.holm import holm, reached
from cowbench.statistics.intervals import Estimate, constant, estimates
from cowbench.statistics.method import Method
from cowbench.statistics.pairs import Pairs
from cowbench.statistics.planning import more_seeds
from cowbench.statistics.result import Comparison, Family, Verdict
from cowbench.statistics.signflip import Floats


@dataclass
class _Test:
    """What the family's test said of one sampled comparison, at the look that was its last.

    threshold: the p that would have been shown there.
    """

    pairs: Pairs
    p: float = 1.0
    adjusted: float = 1.0
    reachable: float = 1.0
    threshold: float = 0.0
    shown: bool = False
    equivalent: bool = False


def judge(pairs: Sequence[Pairs], method: Method) -> Family:
    """Return the verdict of every comparison, in the order given. The sampled ones are the family."""
    sampled = [one for one in pairs if one.sampled]
    tests = dict(zip(map(id, sampled), _test(sampled, method), strict=True))
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


def _test(pairs: Sequence[Pairs], method: Method) -> list[_Test]:
    """Run the family's test at each look: what one look settles leaves the family of the next."""
    tests = [_Test(one) for one in pairs]
    begin = 0
    for look, level in zip(method.looks or (None,), method.levels, strict=True):
        waiting = [test for test in tests if not (test.shown or test.equivalent)]
        _look(waiting, dict(zip(map(id, tests), pairs, strict=True)), begin, look, level, method)
        begin = look or 0
    return tests


def _look(
    tests: list[_Test], whole: dict[int, Pairs], begin: int, look: int | None, level: float, method: Method
) -> None:
    """Judge what is not settled at one look; what got no seeds since the last look keeps what that said."""
    fresh = [not begin or any(seed >= begin for seed in whole[id(test)].seeds) for test in tests]
    for test, new in zip(tests, fresh, strict=True):
        if new:
            test.pairs = whole[id(test)] if look is None else whole[id(test)].up_to(look)
    effects = [test.pairs.effects if new else np.zeros(0) for test, new in zip(tests, fresh, strict=True)]
    p, best = (_by_size(effects, part, method) for part in (signflip.p_values, signflip.reachable))
    share = method.alpha / level
    adjusted, reachable = np.minimum(holm(p) * share, 1), np.minimum(reached(p, best) * share, 1)
    equivalent = holm(_equivalence(tests, effects, method)) * share
    left = max(1, int((adjusted > method.alpha).sum()))
    for i, test in enumerate(tests):
        if fresh[i]:
            test.p, test.adjusted, test.reachable = float(p[i]), float(adjusted[i]), float(reachable[i])
            test.shown, test.equivalent = bool(adjusted[i] <= method.alpha), bool(equivalent[i] <= method.alpha)
            test.threshold = level / left


def _by_size(rows: Sequence[Floats], part: Callable[[Floats, Method], Floats], method: Method) -> Floats:
    """Apply a function of stacked rows to rows of different lengths."""
    found = np.ones(len(rows))
    for size in {len(row) for row in rows} - {0}:
        chosen = [i for i, row in enumerate(rows) if len(row) == size]
        found[chosen] = part(np.stack([rows[i] for i in chosen]), method)
    return found


def _equivalence(tests: Sequence[_Test], effects: Sequence[Floats], method: Method) -> Floats:
    """Return the p of two one-sided tests: that the effect is not above the margin, and not below it."""
    if method.margin is None:
        return np.ones(len(tests))
    bounds = [_bound(test.pairs, method.margin) for test in tests]
    above = [bound + row for bound, row in zip(bounds, effects, strict=True)]
    below = [bound - row for bound, row in zip(bounds, effects, strict=True)]
    return np.maximum(*(_by_size(side, signflip.p_greater, method) for side in (above, below)))


def _bound(pairs: Pairs, margin: float) -> float:
    """Return the margin on the scale of the effects."""
    if pairs.log_ratios is not None:
        return float(np.log1p(margin))
    return margin * float(np.abs(pairs.baseline).mean()) if len(pairs.seeds) else 0.0


def _estimated(rows: Sequence[Floats | None], method: Method) -> list[Estimate | None]:
    """Estimate what is there."""
    there = [row for row in rows if row is not None and len(row)]
    found = iter(estimates(there, method))
    return [next(found) if row is not None and len(row) else None for row in rows]


def _exp(found: Estimate) -> Estimate:
    low, high = (None if limit is None else float(np.exp(limit)) for limit in (found.low, found.high))
    return Estimate(float(np.exp(found.value)), low, high, found.way)


def _comparison(
    pairs: Pairs, test: _Test | None, difference: Estimate | None, ratio: Estimate | None, method: Method
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


def _verdict(pairs: Pairs, gain: Floats, test: _Test | None, method: Method) -> Verdict:
    if not len(gain):
        return "untestable"
    if not gain.any():
        return "identical"
    if test is None:
        within = method.margin is not None and abs(float(pairs.effects[0])) <= _bound(pairs, method.margin)
        return "equivalent" if within else "better" if gain[0] > 0 else "worse"
    if test.equivalent:
        return "equivalent"
    if test.shown:
        # Effects may be logarithms: their sum, which was tested, has the say, not that of the differences.
        lower = schema.METRICS[pairs.metric].better == "lower"
        return "better" if (pairs.effects.sum() < 0) == lower else "worse"
    return "untestable" if test.reachable > method.alpha else "no difference shown"


def _showable(test: _Test, method: Method) -> float | None:
    """Return the smallest shift of what was seen, freed of its own mean, that the test would have called shown."""
    effects = test.pairs.effects
    limits = signflip.limits(effects - effects.mean(), test.threshold, method)
    if limits is None:
        return None
    shift = max(-limits[0], limits[1])
    return float(np.expm1(shift)) if test.pairs.log_ratios is not None else shift
