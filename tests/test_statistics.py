"""Comparisons: pairing by seed, verdict words, and degenerate data answered in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cowbench import statistics
from cowbench.errors import ParameterError
from cowbench.frame import to_frame
from cowbench.statistics import Comparison, Family, Method
from tests.conftest import make_row

DEFAULT = Method()
NORMAL = np.random.default_rng(5).normal(1000, 30, 64)


def frame(*sides: tuple[str, Any], workload: str = "w", **common: Any) -> pd.DataFrame:
    """Return rows of policies with given copies, one a seed."""
    return to_frame(
        [
            make_row(policy, workload, seed, copies=int(value), **common)
            for policy, values in sides
            for seed, value in enumerate(values)
        ]
    )


def compare(old: Any, new: Any, method: Method = DEFAULT, **common: Any) -> Comparison:
    family = statistics.compare(frame(("old", old), ("new", new), **common), "old", ["copies"], method=method)
    (one,) = family.comparisons
    return one


def test_exact_cells_are_compared_by_equality() -> None:
    worse = compare([10], [12], sampling="exact")
    assert (worse.verdict, worse.exact, worse.p) == ("worse", True, None)
    assert worse.difference is not None
    assert (worse.difference.value, worse.difference.low, worse.difference.way) == (2, None, "exact")
    assert compare([10], [10], sampling="exact").verdict == "identical"
    assert compare([12], [10], sampling="exact").verdict == "better"


def test_sampled_cells_are_paired_by_seed() -> None:
    # Unpaired, 1 % less vanishes in the noise of 3 %.
    one = compare(NORMAL[:16], NORMAL[:16] * 0.99)
    assert (one.verdict, one.exact, one.pairs, one.wins) == ("better", False, 16, 16)
    assert one.p == 2.0**-15
    assert one.ratio is not None
    assert one.ratio.low is not None
    assert one.ratio.high is not None
    assert 0.985 < one.ratio.low < one.ratio.value < one.ratio.high < 0.995


def test_one_meaning_for_each_word() -> None:
    noise = np.random.default_rng(1).permutation(NORMAL[:16])
    shown = compare(NORMAL[:16], noise)
    assert (shown.verdict, shown.open) == ("no difference shown", True)
    assert shown.showable is not None
    assert shown.showable > 0
    few = compare(NORMAL[:5], NORMAL[:5] * 0.9)
    assert (few.verdict, few.p_reachable) == ("untestable", 2.0**-4)
    assert few.more_seeds == 1
    same = compare(NORMAL, NORMAL)
    assert (same.verdict, same.open, same.moved) == ("identical", False, False)
    near = compare(NORMAL, NORMAL * 1.004, Method(margin=0.02))
    assert near.verdict == "equivalent"
    assert compare(NORMAL, NORMAL * 1.03, Method(margin=0.02)).verdict == "worse"


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ([7], [9], "untestable"),
        ([7] * 16, [9] * 16, "worse"),
        ([7] * 3, [9] * 3, "untestable"),
        ([0] * 16, [0] * 16, "identical"),
        ([0] * 15 + [1], [0] * 16, "untestable"),
        (NORMAL[:16], NORMAL[:16] + 8, "worse"),
    ],
)
def test_degenerate_data_has_an_answer_and_no_nan(old: Any, new: Any, verdict: str) -> None:
    one = compare(old, new)
    assert one.verdict == verdict
    numbers = [value for value in vars(one).values() if isinstance(value, float)]
    assert np.isfinite(numbers).all()


def test_what_failed_is_not_paired_and_said() -> None:
    rows = frame(("old", NORMAL[:16]), ("new", NORMAL[:16] * 0.9))
    broken = rows["policy"].eq("new") & rows["seed"].lt(3)
    rows.loc[broken, "status"] = None
    rows["status"] = rows["status"].astype("string").fillna("failed")
    rows.loc[broken, "copies"] = pd.NA
    (one,) = statistics.compare(rows, "old", ["copies"]).comparisons
    assert (one.pairs, one.missing, one.why) == (13, 3, "new failed on 3 of 16 seeds")
    assert one.verdict == "better"


def test_the_family_shares_alpha() -> None:
    rng = np.random.default_rng(3)
    sides = [("old", NORMAL[:8]), *((f"p{i}", rng.permutation(NORMAL[:8])) for i in range(5))]
    rows = frame(*sides, ("new", NORMAL[:8] * 0.9))
    alone = statistics.compare(rows[rows["policy"].isin(["old", "new"])], "old", ["copies"])
    family = statistics.compare(rows, "old", ["copies"])
    assert alone.comparisons[0].p_adjusted == 2.0**-7
    (one,) = family.of(policy="new")
    assert (family.size, one.p_adjusted) == (6, 6 * 2.0**-7)


def test_points_of_curves_are_left_out() -> None:
    rows = pd.concat(
        [frame(("old", NORMAL), ("new", NORMAL)), frame(("old", [1]), ("new", [2]), workload="w:n=1", curve="n")]
    )
    family: Family = statistics.compare(rows, "old", ["copies"])
    assert {one.workload for one in family.comparisons} == {"w"}


def test_controls_are_left_out() -> None:
    rows = pd.concat(
        [frame(("old", NORMAL), ("new", NORMAL)), frame(("old", [1]), ("new", [2]), workload="c", control=1)]
    )
    family: Family = statistics.compare(rows, "old", ["copies"])
    assert {one.workload for one in family.comparisons} == {"w"}
    assert statistics.controls(rows) == ["c"]
    asked = statistics.compare(rows, "old", ["copies"], workloads=["c"])
    assert {one.workload for one in asked.comparisons} == {"c"}


def test_two_stores_are_compared_cell_by_cell() -> None:
    before, after = frame(("a", NORMAL[:16]), ("b", [1] * 16)), frame(("a", NORMAL[:16] * 1.1), ("c", [1] * 16))
    found = {one.policy: one for one in statistics.compare_stores(before, after, ["copies"]).comparisons}
    assert {name: one.verdict for name, one in found.items()} == {"a": "worse", "b": "untestable", "c": "untestable"}
    assert found["c"].why == "before was not run on 16 of 16 seeds"


def test_what_cannot_be_compared_is_refused_by_name() -> None:
    rows = frame(("old", NORMAL), ("new", NORMAL))
    for metrics, baseline, words in (
        (["copies"], "odl", "no rows of policy 'odl'"),
        (["copis"], "old", "no metric 'copis'"),
        (["reuses"], "old", "metric 'reuses' has no better side"),
    ):
        with pytest.raises(ParameterError, match=words):
            statistics.compare(rows, baseline, metrics)
