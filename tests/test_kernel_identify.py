"""Finding out which rules a kernel follows, on a stand-in that is the model itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from cowbench.expected import expect
from cowbench.linux.draw import CONFIG
from cowbench.linux.identify import Answer, Asked, identify, words_of
from cowbench.linux.mixed import RULES, Rule, mixed
from cowbench.policy import Policy
from tests.test_kernel_check import HOST_ABILITIES, Modelled, policy

CANDIDATES = ("mapcount", "page_count", "has_pinned", "page_count_5_18", "anon_exclusive:kernel=6.19")
RIVALS: dict[Rule, dict[str, str]] = {
    "write fault": {"mapcount": "maps", "page_count": "counts"},
    "fork": {"mapcount": "shares", "has_pinned": "copies"},
    "pin": {"mapcount": "takes", "forced_cow": "breaks"},
    "swap-in": {"mapcount": "maps"},
}


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def asked(followed: Policy) -> Answer:
    return identify(Asked(Modelled(followed, HOST_ABILITIES), 300), CANDIDATES, RIVALS)


@pytest.mark.parametrize("text", ["mapcount", "has_pinned", "anon_exclusive:kernel=6.19"])
def test_a_kernel_is_known_by_what_it_shows(text: str) -> None:
    answer = asked(policy(text))
    assert answer.agrees
    assert answer.policies == [text]
    assert {one.ruled_out for one in answer.evidence} == set(CANDIDATES) - {text}
    for one in answer.evidence:
        seen = expect(policy(text), CONFIG, one.program)
        assert len(seen.steps) == len(one.program)
        assert one.difference.step < len(one.program)


def test_rules_are_told_one_by_one() -> None:
    answer = asked(policy("has_pinned"))
    assert {rule: {one.ruled_out for one in answer.rule_evidence[rule]} for rule in RULES} == {
        "write fault": {"mapcount"},
        "fork": {"mapcount"},
        "pin": {"forced_cow"},
        "swap-in": set(),
    }
    assert answer.open["write fault"] == ["page_count"]
    assert answer.open["swap-in"] == ["mapcount"]


def test_a_broken_rule_is_named_even_if_no_policy_has_it() -> None:
    """6.19 whose fork shares pinned pages."""
    broken = mixed(policy("anon_exclusive"), "fork", policy("mapcount"))
    kernel = Asked(Modelled(broken, HOST_ABILITIES), 300)
    answer = identify(kernel, ("anon_exclusive:kernel=6.19",), RIVALS)
    assert not answer.agrees
    assert answer.rules["fork"] == "mapcount"
    assert answer.rules["write fault"] == "anon_exclusive:kernel=6.19"
    assert list(words_of("fork", answer)) == ["shares every page"]


def test_mixed_takes_one_rule_and_leaves_the_others() -> None:
    base, other = policy("has_pinned"), policy("forced_cow")
    assert mixed(base, "write fault", other).flags() == base.flags()
    assert mixed(base, "pin", other).flags().reads_break_cow
    assert type(mixed(base, "fork", other)).copies_swap_entries is False
