"""What comes out of a comparison: one verdict for a metric on a workload, and the family it was judged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from cowbench.statistics.intervals import Estimate
from cowbench.statistics.method import Method

Verdict = Literal["identical", "better", "worse", "no difference shown", "equivalent", "untestable"]

VERDICTS: dict[Verdict, str] = {
    "identical": "equal on every seed compared",
    "better": "differs to its advantage: by equality if exact, else beyond chance in the whole family",
    "worse": "differs to its disadvantage, shown in the same way",
    "no difference shown": "the seeds could have shown a difference and did not; it may still be there, but small",
    "equivalent": "differs by less than the margin that was given, beyond chance in the whole family",
    "untestable": "no outcome with these seeds could have shown a difference, or nothing could be compared",
}
"""The words of a verdict, and the one meaning of each."""


@dataclass(frozen=True)
class Comparison:
    """A metric of `policy` on `workload` held against `against` (another policy, or the same in another store).

    exact: nothing random is in it (the workload draws nothing, or each side is constant over the seeds).
    pairs, missing: seeds compared, and seeds that were not, because of `why`.
    policy_mean, against_mean: over the seeds compared, in the metric's unit; None without any.
    difference: policy less against, in the metric's unit. ratio: policy by against; None unless all values are
    positive, and then the ratio is what was tested.
    wins, ties, losses: pairs in which the policy is better, equal, worse. cliffs_delta: (wins - losses) / pairs.
    p: of the sign-flip test. p_adjusted: by Holm over the family (and the looks), to be held against alpha.
    p_reachable: the smallest p_adjusted that these pairs could have had. All three None if exact.
    showable: the smallest difference that these seeds could have shown, as a share of the value if there is a ratio,
    else in the metric's unit; None unless the verdict is "no difference shown".
    more_seeds: further seeds that would probably settle it; None if it is settled, or no number below 1,000 would.
    """

    policy: str
    against: str
    workload: str
    metric: str
    exact: bool
    verdict: Verdict
    pairs: int
    missing: int
    why: str
    policy_mean: float | None
    against_mean: float | None
    difference: Estimate | None
    ratio: Estimate | None
    wins: int
    ties: int
    losses: int
    cliffs_delta: float | None
    p: float | None
    p_adjusted: float | None
    p_reachable: float | None
    showable: float | None
    more_seeds: int | None

    @property
    def open(self) -> bool:
        """Whether more seeds might change the verdict."""
        return not self.exact and self.verdict in ("no difference shown", "untestable")

    @property
    def moved(self) -> bool:
        """Whether anything differs at all, shown or not."""
        return self.wins + self.losses > 0


@dataclass(frozen=True)
class Family:
    """Comparisons judged together. size: how many of them were sampled, and so share alpha.

    between: whether policies of one store are compared, or one policy in two stores.
    """

    comparisons: tuple[Comparison, ...]
    size: int
    method: Method
    between: Literal["policies", "stores"] = "policies"

    def of(self, **names: str) -> list[Comparison]:
        """Return the comparisons that have these names, as in `family.of(policy="oracle", metric="copies")`."""
        return [one for one in self.comparisons if all(getattr(one, key) == name for key, name in names.items())]

    def frame(self) -> pd.DataFrame:
        """Return one row a comparison; an estimate is difference, difference_low, difference_high, difference_way."""
        return pd.DataFrame([_flat(one) for one in self.comparisons], columns=_COLUMNS)


def _flat(one: Comparison) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, value in vars(one).items():
        if name in ("difference", "ratio"):
            row[name] = None if value is None else value.value
            row |= {
                f"{name}_{part}": None if value is None else getattr(value, part) for part in ("low", "high", "way")
            }
        else:
            row[name] = value
    return row


def _names() -> list[str]:
    names = []
    for name in Comparison.__dataclass_fields__:
        names += [name, f"{name}_low", f"{name}_high", f"{name}_way"] if name in ("difference", "ratio") else [name]
    return names


_COLUMNS = _names()
