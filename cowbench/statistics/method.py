"""What a comparison rests on: level, resampling, the declared family and the looks at growing data."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cowbench.errors import ParameterError

HEADLINE = ("copies", "false_positive_copies", "fork_ns_mean")
"""The metrics of the report's declared family."""

BCA_PAIRS = 15
"""Fewest pairs for a BCa interval; below, the sign-flip test is inverted, which holds its level at any number."""


@dataclass(frozen=True)
class Method:
    """How to compare.

    alpha: chance of any false "better" or "worse" in the family. margin: share of the value within which a difference
    does not matter (0.05: five per cent); None asks for no equivalence. looks: seeds at which a sequential run looked,
    ascending; empty if the number of seeds was fixed beforehand. flips, resamples: draws of the Monte Carlo test and of
    the bootstrap. seed: of those draws; equal seeds give equal results.
    """

    alpha: float = 0.05
    margin: float | None = None
    looks: tuple[int, ...] = ()
    flips: int = 99_999
    resamples: int = 9_999
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ParameterError(f"alpha={self.alpha}: give a level between 0 and 1, such as 0.05")
        if self.margin is not None and not 0 < self.margin < 1:
            raise ParameterError(f"margin={self.margin}: give a share between 0 and 1, such as 0.05 for 5 %")
        if list(self.looks) != sorted(set(self.looks)) or any(look < 1 for look in self.looks):
            raise ParameterError(f"looks={self.looks}: give numbers of seeds in ascending order")

    @property
    def levels(self) -> tuple[float, ...]:
        """What each look may spend of alpha: a half, a quarter, ..., the last one the rest, in sum alpha.

        A false alarm at any look is a false alarm, so the shares add up (Bonferroni over looks); the first look gets
        most because most comparisons are settled there.
        """
        last = max(len(self.looks), 1) - 1
        return tuple(self.alpha / 2 ** min(k + 1, last) for k in range(last + 1))


def seeds_needed(family: int, alpha: float = 0.05) -> int:
    """Return the fewest seeds with which a family of that size can say better or worse.

    n pairs reach p = 2^(1-n) at best, and Holm asks for alpha / family of its smallest p.
    """
    return 1 + math.ceil(math.log2(max(family, 1) / alpha))
