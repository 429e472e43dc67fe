"""Statistics held against theory, against scipy, and against simulation, whose tables are in docs/statistics.md."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from cowbench import grid, statistics
from cowbench.costs import read_profile
from cowbench.statistics import HEADLINE, Method, signflip
from cowbench.statistics.holm import holm, reached
from cowbench.statistics.intervals import bca, hodges_lehmann
from cowbench.statistics.method import BCA_PAIRS
from cowbench.statistics.planning import more_seeds
from tests import statistics_simulation as simulation
from tests.statistics_simulation import DOCS, FAMILIES, FLOORS, LOOKS, PAIRS, SHAPES

RNG = np.random.default_rng(11)
METHOD = Method()


def published(name: str) -> dict[str, list[str]]:
    """Return the entries of a table of docs/statistics.md by its first column."""
    table = re.search(f"<!-- {name} -->\n(.*?)\n<!-- end -->", DOCS.read_text(), re.DOTALL)
    assert table is not None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]
    return {row[0]: row[1:] for row in rows[2:]}


def share(text: str) -> float:
    return float(text.rstrip("%")) / 100


# --- against simulation


@pytest.mark.parametrize("shape", SHAPES)
def test_published_coverage_keeps_its_floors(shape: str) -> None:
    *shares, floors = published("intervals")[shape]
    assert floors == " and ".join(f"{floor:.0%}" for floor in FLOORS[shape])
    for pairs, text in zip(PAIRS, shares, strict=True):
        assert share(text) >= FLOORS[shape][pairs >= BCA_PAIRS], f"{pairs} pairs"


@pytest.mark.parametrize(("shape", "pairs"), [("skewed", 6), ("discrete", 10), ("tied", 10), ("normal", 15)])
def test_published_coverage_is_what_the_simulation_gives(shape: str, pairs: int) -> None:
    assert f"{simulation.coverage(shape, pairs):.1%}" == published("intervals")[shape][PAIRS.index(pairs)]


@pytest.mark.parametrize("shape", SHAPES)
def test_published_family_wise_errors_keep_their_bars(shape: str) -> None:
    for name, text in zip([*FAMILIES, "looks"], published("families")[shape], strict=True):
        if not FAMILIES.get(name, {}).get("centred"):
            assert share(text) <= simulation.ALARMS, name


def test_published_family_wise_error_is_what_the_simulation_gives() -> None:
    name = "alike, 10 pairs"
    assert f"{simulation.family_error('skewed', 10):.1%}" == published("families")["skewed"][list(FAMILIES).index(name)]


def test_growing_until_settled_raises_no_more_alarms() -> None:
    runs = 300
    most = float(stats.binom.ppf(0.999, runs, 0.05)) / runs
    assert simulation.looks_error("normal", LOOKS, runs) <= most


def test_the_advised_seeds_settle_a_comparison_as_often_as_is_said() -> None:
    effect, threshold = 0.5, 0.001
    seen = RNG.standard_normal(4000) + effect
    more = more_seeds(_like(20, effect), threshold)
    assert more is not None
    few = 20 + more
    samples = np.stack([RNG.choice(seen, few) for _ in range(400)])
    settled = signflip.p_values(samples, Method(flips=19_999)) <= threshold
    assert 0.72 <= settled.mean() <= 0.88


def _like(pairs: int, mean: float) -> signflip.Floats:
    """Return values of exactly this mean and of standard deviation 1."""
    values = stats.norm.ppf((np.arange(pairs) + 0.5) / pairs)
    scaled: signflip.Floats = values / values.std(ddof=1) + mean
    return scaled


# --- against scipy and theory


@pytest.mark.parametrize("pairs", [2, 7, 9])
def test_exact_p_is_scipys(pairs: int) -> None:
    for values in (RNG.normal(0.4, 1, pairs), RNG.integers(-2, 4, pairs).astype(np.float64)):
        for alternative, part in (("two-sided", signflip.p_values), ("greater", signflip.p_greater)):
            wanted = stats.permutation_test(  # type: ignore[call-overload]  # its stubs know no plain statistic
                (values, np.zeros(pairs)),
                lambda x, y: float((x - y).mean()),
                permutation_type="samples",
                vectorized=False,
                n_resamples=10**6,  # so many that it tries them all
                alternative=alternative,
            )
            assert part(values[None], METHOD)[0] == pytest.approx(wanted.pvalue, rel=1e-12)


def test_on_signed_ranks_it_is_wilcoxons_test() -> None:
    values = RNG.normal(0.5, 1, 13)
    ranks = stats.rankdata(np.abs(values)) * np.sign(values)
    assert signflip.p_values(ranks[None], METHOD)[0] == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


def test_drawn_signs_agree_with_all_of_them() -> None:
    values = RNG.normal(0.3, 1, (20, 15))
    drawn = Method(flips=2**14 - 2)
    assert signflip.exact(15, METHOD)
    assert not signflip.exact(15, drawn)
    exact, close = signflip.p_values(values, METHOD), signflip.p_values(values, drawn)
    assert np.abs(exact - close).max() < 4 * 0.5 / np.sqrt(2**14)
    assert not np.array_equal(exact, close)
    assert signflip.p_values(np.ones((1, 40)), drawn)[0] == 1 / (2**14 - 1)
    assert signflip.reachable(np.ones((1, 40)), drawn)[0] == 1 / (2**14 - 1)


def test_limits_are_where_the_test_begins_to_reject() -> None:
    for values in (RNG.normal(5, 2, 9), RNG.exponential(3, 12)):
        for level in (0.05, 0.3):
            limits = signflip.limits(values, level, METHOD)
            assert limits is not None
            for limit, outward in zip(limits, (-1e-6, 1e-6), strict=True):
                inside, outside = signflip.p_values(np.stack([values - limit, values - limit - outward]), METHOD)
                assert outside <= level < inside


def test_the_estimate_lies_within_its_interval() -> None:
    for shape, (draw, _) in SHAPES.items():
        for values in draw(np.random.default_rng(3), (40, 9)):
            low, high = signflip.limits(values, 0.05, METHOD) or (np.nan, np.nan)
            assert low <= hodges_lehmann(values) <= high, shape


def test_hodges_lehmann_by_hand() -> None:
    # Means of pairs: 1, 2, 6; 1.5, 3.5, 4.
    assert hodges_lehmann(np.array([1.0, 2.0, 6.0])) == 2.75
    assert signflip.limits(np.array([1.0, 2.0, 6.0]), 0.05, METHOD) is None
    assert signflip.limits(np.arange(6.0), 0.05, METHOD) == (0, 5)


def test_bca_of_a_row_does_not_depend_on_its_neighbours() -> None:
    rows = RNG.exponential(1, (3, 16))
    together = bca(rows, METHOD)
    for row, limits in zip(rows, together, strict=True):
        assert bca(row[None], METHOD)[0] == pytest.approx(limits, rel=1e-12)
        assert limits[0] < row.mean() < limits[1]


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.5, 0.6])) == pytest.approx([1, 1])
    # The second could have come first, the first could not have come any lower.
    assert reached(np.array([0.02, 0.5]), np.array([0.02, 0.001])) == pytest.approx([0.04, 0.002])


def test_looks_spend_alpha_and_no_more() -> None:
    for looks in ((), (8,), (8, 16), (8, 16, 32, 64)):
        assert sum(Method(looks=looks).levels) == pytest.approx(0.05)
    assert Method(looks=(8, 16, 32)).levels == pytest.approx((0.025, 0.0125, 0.0125))


def test_the_default_report_can_say_better() -> None:
    """The seeds of a default run are enough for the family of a default report, with policies to spare."""
    cells = grid.grid(grid.specs("policy", []), grid.specs("workload", []), 1, read_profile())
    drawn = {
        cell.known["workload"]
        for cell in cells
        if cell.known["sampling"] == "sampled" and not cell.known["control"] and not cell.known["curve"]
    }
    others = len({cell.known["policy"] for cell in cells}) - 1
    family = (others + 10) * len(HEADLINE) * len(drawn)
    most = int(0.05 * 2 ** (grid.SEEDS - 1))
    assert family <= most
    assert f"{grid.SEEDS} seeds are enough for {most:,} comparisons" in " ".join(DOCS.read_text().split())
    assert (statistics.seeds_needed(most), statistics.seeds_needed(most + 1)) == (grid.SEEDS, grid.SEEDS + 1)
    best = float(signflip.p_values(np.ones((1, grid.SEEDS)), METHOD)[0])
    assert most * best <= METHOD.alpha < (most + 1) * best
