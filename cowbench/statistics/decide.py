"""The test of a whole family: which comparisons differ beyond chance, which are equivalent, at one look or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cowbench.statistics import signflip
from cowbench.statistics.holm import holm, reached
from cowbench.statistics.method import Method
from cowbench.statistics.pairs import Pairs
from cowbench.statistics.signflip import Floats


@dataclass
class Decision:
    """What the family's test said of one sampled comparison, at the look that was its last.

    pairs: those of that look. threshold: the p that would have been shown there.
    """

    pairs: Pairs
    p: float = 1.0
    adjusted: float = 1.0
    reachable: float = 1.0
    threshold: float = 0.0
    shown: bool = False
    equivalent: bool = False


def decide(pairs: Sequence[Pairs], method: Method) -> list[Decision]:
    """Run the family's test at each look; whether something differs and whether it is equivalent are two families.

    What was shown leaves its family, so that the next look spends on the rest. A comparison that got no seeds since
    the last look, or is settled, keeps what that said.
    """
    decisions = [Decision(one) for one in pairs]
    begin = 0
    for look, level in zip(method.looks or (None,), method.levels, strict=True):
        active = [
            not (begin and (one.shown or one.equivalent or all(seed < begin for seed in whole.seeds)))
            for one, whole in zip(decisions, pairs, strict=True)
        ]
        for i in np.flatnonzero(active).tolist():
            decisions[i].pairs = pairs[i] if look is None else pairs[i].up_to(look)
        _look(decisions, active, level, method)
        begin = look or 0
    return decisions


def _look(decisions: list[Decision], active: list[bool], level: float, method: Method) -> None:
    """Test what is active at one look, at `level`; adjusted values are scaled so as to be held against alpha."""
    effects = [one.pairs.effects if on else np.zeros(0) for one, on in zip(decisions, active, strict=True)]
    p, smallest = (_by_size(effects, part, method) for part in (signflip.p_values, signflip.reachable))
    waiting = np.array([not one.shown for one in decisions], bool)
    apart = np.array([not one.equivalent for one in decisions], bool)
    adjusted, reachable, equivalent = np.ones((3, len(decisions)))
    scale = method.alpha / level
    adjusted[waiting] = np.minimum(holm(p[waiting]) * scale, 1)
    reachable[waiting] = np.minimum(reached(p[waiting], smallest[waiting]) * scale, 1)
    equivalent[apart] = holm(_equivalence(decisions, effects, method)[apart]) * scale
    left = max(1, int((adjusted[waiting] > method.alpha).sum()))
    for i in np.flatnonzero(active).tolist():
        one = decisions[i]
        one.p, one.adjusted, one.reachable = float(p[i]), float(adjusted[i]), float(reachable[i])
        one.shown, one.equivalent = bool(adjusted[i] <= method.alpha), bool(equivalent[i] <= method.alpha)
        one.threshold = level / left


def _by_size(rows: Sequence[Floats], part: Callable[[Floats, Method], Floats], method: Method) -> Floats:
    """Apply a function of stacked rows to rows of different lengths."""
    found = np.ones(len(rows))
    for size in {len(row) for row in rows} - {0}:
        chosen = [i for i, row in enumerate(rows) if len(row) == size]
        found[chosen] = part(np.stack([rows[i] for i in chosen]), method)
    return found


def _equivalence(decisions: Sequence[Decision], effects: Sequence[Floats], method: Method) -> Floats:
    """Return the p of two one-sided tests: that the effect is not above the margin, and not below it."""
    if method.margin is None:
        return np.ones(len(decisions))
    bounds = [bound(one.pairs, method.margin) for one in decisions]
    above = [bound + row for bound, row in zip(bounds, effects, strict=True)]
    below = [bound - row for bound, row in zip(bounds, effects, strict=True)]
    return np.maximum(*(_by_size(side, signflip.p_greater, method) for side in (above, below)))


def bound(pairs: Pairs, margin: float) -> float:
    """Return the margin on the scale of the effects."""
    if pairs.log_ratios is not None:
        return float(np.log1p(margin))
    return margin * float(np.abs(pairs.baseline).mean()) if len(pairs.seeds) else 0.0
