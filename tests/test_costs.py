"""Modelled times: exact integers from counts and a profile; profiles that are wrong are named."""

import json
from pathlib import Path

import pytest

from cowbench import costs
from cowbench.errors import ProfileError
from cowbench.ledger import FaultCounts, ForkCounts, Ledger

PROFILE = costs.read_profile()


def fork(ptes: int = 0, early: int = 0) -> ForkCounts:
    return ForkCounts(ptes, 0, early, early, early, False)


def test_every_default_entry_has_a_source_and_the_named_ones_are_assumed() -> None:
    assert all(cost.source for cost in PROFILE.costs.values())
    assumed = {name for name, cost in PROFILE.costs.items() if cost.assumed}
    assert {"early_copy", "allocation", "page_out_per_page", "pin_per_page", "unpin_per_page"} <= assumed
    assert not assumed & {"fork_per_pte", "reuse_fault", "copy_fault", "zero_fill_fault", "exit_per_pte"}


def test_a_fork_costs_its_base_and_every_step() -> None:
    counts = ForkCounts(ptes=1000, swap_ptes=10, early_copies=3, allocations=4, lock_drops=2, failed=True)
    assert costs.fork_ns(counts, PROFILE) == 60_000 + 54_700 + 547 + 3 * 251 + 4 * 200 + 2 * 50


def test_fork_times_are_nearest_ranks() -> None:
    ledger = Ledger(forks=[fork(ptes=10 * n) for n in (3, 1, 2, 4)])
    columns = costs.fork_columns(ledger, PROFILE)
    times = [60_547, 61_094, 61_641, 62_188]
    assert [columns[name] for name in ("fork_ns_p50", "fork_ns_p99", "fork_ns_max")] == [times[1], times[3], times[3]]
    assert columns["fork_ns_mean"] == 61_368  # 61,367.5 rounded half up
    assert (columns["forks"], columns["forks_ptes"]) == (4, 100)


def test_without_a_fork_there_is_no_fork_time() -> None:
    columns = costs.fork_columns(Ledger(), PROFILE)
    assert columns["fork_ns_mean"] is columns["fork_ns_max"] is None
    assert columns["forks"] == 0


def test_the_mean_is_found_again_from_a_rows_totals_under_another_profile() -> None:
    ledger = Ledger(forks=[fork(1000, 5), fork(2000, 7)])
    row = costs.fork_columns(ledger, PROFILE)
    dearer = PROFILE.scaled("early_copy", 2)
    assert costs.mean_fork_ns(row, dearer) == costs.fork_columns(ledger, dearer)["fork_ns_mean"]


def test_faults_and_pins_are_priced_by_kind() -> None:
    ledger = Ledger(faults=FaultCounts(1, 1, 1, 1, 1, 1), pin_faults=FaultCounts(copy=2), pinned_pages=3, paged_out=1)
    columns = costs.time_columns(ledger, PROFILE)
    assert columns["fault_ns_total"] == 426 + 244 + 695 + 3000 + 244 + 244
    assert columns["pin_ns_total"] == 3 * 50 + 2 * 695
    assert columns["page_out_ns_total"] == 2000


def test_profiles_with_equal_costs_have_equal_digests() -> None:
    again = costs.parse_profile(PROFILE.to_json())
    assert (again, again.digest) == (PROFILE, PROFILE.digest)
    assert PROFILE.scaled("lock_drop", 2).digest != PROFILE.digest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cowbench_profile": 2}, "profile format 2"),
        ({"entries": {"fork_bas": {"ns": 1, "source": ""}}}, "unknown entry 'fork_bas': did you mean 'fork_base'"),
        ({"entries": {}}, "entry 'fork_base' is missing"),
        ({"entries": {"fork_base": {"ns": "x", "source": ""}}}, "entry 'fork_base' must be"),
        ({"entries": {"fork_base": {"ns": -1, "source": ""}}}, "is -1.0 ns"),
    ],
)
def test_a_wrong_profile_is_named(change: dict[str, object], words: str) -> None:
    text = json.dumps(json.loads(PROFILE.to_json()) | change)
    with pytest.raises(ProfileError, match=words):
        costs.parse_profile(text)


def test_a_file_that_is_no_profile_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"gone\.json: cannot be read"):
        costs.read_profile(tmp_path / "gone.json")
    with pytest.raises(ProfileError, match="not a cost profile"):
        costs.parse_profile("[1]")
