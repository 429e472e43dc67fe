"""Policies across workloads: ranks, Friedman and Nemenyi, who is probably best, profiles, and A/A."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cowbench import statistics
from cowbench.frame import to_frame
from tests.conftest import make_row


def frame(table: dict[str, list[Any]], **common: Any) -> pd.DataFrame:
    """Return rows from policy -> one entry a workload, itself one value or one a seed."""
    return to_frame(
        [
            make_row(policy, f"w{place}", seed, copies=int(value), **common)
            for policy, cells in table.items()
            for place, cell in enumerate(cells)
            for seed, value in enumerate(np.atleast_1d(cell))
        ]
    )


def random_table(workloads: int, *, shift: float = 0.0) -> dict[str, list[Any]]:
    rng = np.random.default_rng(7)
    base = rng.integers(100, 900, workloads)
    return {name: list(base + rng.integers(0, 60, workloads) + int(shift * i)) for i, name in enumerate("abcde")}


def test_friedman_is_scipys_and_ranks_share_ties() -> None:
    table = random_table(9, shift=10)
    table["b"] = table["a"]
    found = statistics.rank(frame(table))
    wanted = stats.friedmanchisquare(*table.values())
    assert found.statistic == pytest.approx(wanted.statistic, rel=1e-12)
    assert found.p == pytest.approx(wanted.pvalue, rel=1e-12)
    assert (found.table["a"] == found.table["b"]).all()
    assert found.table.sum(axis=1).eq(15).all()


def test_critical_difference_is_the_published_one() -> None:
    # Demšar 2006, table 5: q_0.05 of Nemenyi's test for 5 classifiers is 2.728, q_0.10 is 2.459.
    assert statistics.critical_difference(5, 14) == pytest.approx(2.728 * math.sqrt(30 / 84), abs=5e-4)
    assert statistics.critical_difference(5, 14, 0.10) == pytest.approx(2.459 * math.sqrt(30 / 84), abs=5e-4)


def test_groups_are_the_runs_within_the_critical_difference() -> None:
    # 1, 2, 3 in every one of 20 workloads: CD is 0.74, so that nobody is grouped; in 3 workloads it is 1.91.
    table = {"c": [30], "a": [10], "b": [20]}
    assert statistics.rank(frame({name: cell * 20 for name, cell in table.items()})).groups == ()
    few = statistics.rank(frame({name: cell * 3 for name, cell in table.items()}))
    assert few.policies == ("a", "b", "c")
    assert few.groups == (("a", "b"), ("b", "c"))


def test_why_there_is_no_test_is_said() -> None:
    for table, words in (
        ({"a": [1, 2], "b": [2, 3]}, "needs three policies, there are 2"),
        ({"a": [1], "b": [2], "c": [3]}, "needs two workloads, there is one"),
        ({name: [5, 6, 7] for name in "abc"}, "identical on every workload"),
    ):
        found = statistics.rank(frame(table))
        assert words in found.why_not
        assert (found.p, found.critical_difference, found.groups) == (None, None, ())


def test_workloads_that_not_all_ran_and_controls_are_left_out() -> None:
    rows = frame(random_table(4))
    rows.loc[rows["policy"].eq("b") & rows["workload"].eq("w1"), "status"] = None
    rows["status"] = rows["status"].astype("string").fillna("out_of_frames")
    control = frame({name: [1] for name in "abcde"}, control=1)
    control["workload"] = "idle"
    found = statistics.rank(pd.concat([rows, control]))
    assert list(found.table.index) == ["w0", "w2", "w3"]
    assert found.left_out == ("w1",)


def test_a_metric_that_is_better_high_ranks_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from cowbench import schema

    rows = frame({"a": [1, 2], "b": [3, 4], "c": [5, 6]})
    assert statistics.rank(rows).policies == ("a", "b", "c")
    monkeypatch.setitem(schema.METRICS, "copies", replace(schema.METRICS["copies"], better="higher"))
    assert statistics.rank(rows).policies == ("c", "b", "a")
    assert statistics.probability_best(rows)["c"] == 1
    assert list(statistics.profile(rows).loc[1.0]) == [0, 0, 1]


def test_probability_of_being_best() -> None:
    rng = np.random.default_rng(2)
    noise = rng.integers(-50, 50, (4, 12))
    table: dict[str, list[Any]] = {"a": list(500 + noise), "b": list(500 + noise), "worse": list(600 + noise)}
    shares = statistics.probability_best(frame(table))
    assert dict(shares) == {"a": 0.5, "b": 0.5, "worse": 0.0}
    # Independent noise of the same size: nobody can know.
    table["b"] = list(500 + rng.permuted(noise, axis=1))
    close = statistics.probability_best(frame(table))
    assert 0.02 < close["a"] < 0.98
    assert close.sum() == pytest.approx(1)
    pd.testing.assert_series_equal(close, statistics.probability_best(frame(table)))


def test_drawing_workloads_too_makes_the_answer_less_sure() -> None:
    table: dict[str, list[Any]] = {"a": [1, 1, 1, 5], "b": [2, 2, 2, 1], "c": [9, 9, 9, 9]}
    assert statistics.probability_best(frame(table))["a"] == 1
    # a is worse than b if it draws w3 three times or more; as good if twice: b(4, 1/4) gives 0.051 and 0.211.
    assert statistics.probability_best(frame(table), resample_workloads=True)["b"] == pytest.approx(0.156, abs=0.03)


def test_profile_of_factors_from_the_best() -> None:
    found = statistics.profile(frame({"a": [10, 0, 30], "b": [20, 5, 10]}))
    assert list(found.index) == [1, 2, 3]
    assert list(found["a"]) == pytest.approx([2 / 3, 2 / 3, 1])
    assert list(found["b"]) == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_a_a_finds_the_level_of_the_test() -> None:
    rng = np.random.default_rng(4)
    table: dict[str, list[Any]] = {name: list(rng.normal(1000, 50, (3, 16))) for name in "ab"}
    table["same"] = [[5] * 16] * 3
    of_copies, of_all = statistics.false_alarms(frame(table), ["copies"])
    # Halves of 8 seeds: 2^7 equally likely values of p, of which 6 are at most 0.05.
    assert (of_copies.cells, of_copies.constant, of_copies.splits) == (6, 3, 1200)
    assert of_copies.low is not None
    assert of_copies.high is not None
    assert of_copies.low < 6 / 128 < of_copies.high
    assert of_all.rate == of_copies.rate


def test_a_a_without_anything_random_says_so() -> None:
    (found, _) = statistics.false_alarms(frame({"a": [1], "b": [2]}, sampling="exact"), ["copies"])
    assert (found.cells, found.splits, found.rate) == (0, 0, None)
