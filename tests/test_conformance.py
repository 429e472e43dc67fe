"""The cases of cow.c, judged by what is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cowbench import spec
from cowbench.conformance import CASES, Case, conformance, judge, judge_all, on_model
from cowbench.errors import PluginError
from cowbench.expected import expect
from cowbench.machine import MachineConfig
from cowbench.observation import Observation
from cowbench.operations import DeviceRead, Operation, Read

FAILS = {
    "oracle": {},
    "eager_copy": {},
    "anon_exclusive": {},
    "anon_exclusive:kernel=5.19": {},
    "mapcount": {"leak": {3, 4, 5, 6}, "lost pin": {8, 9, 10}},
    "page_count": {"lost pin": set(range(7, 15))},
    "has_pinned": {"lost pin": {7, *range(9, 15)}},
    "page_count_5_18": {"lost pin": {7, *range(9, 15)}},
    "always_reuse": {"leak": {1, 2, 3, 4, 5, 6}},
}
"""Policy -> verdict -> cases on a page in memory, worked out from the rules by hand."""


@pytest.mark.parametrize("policy", FAILS)
def test_verdicts_on_base_pages(policy: str) -> None:
    base = [one for one in on_model(spec.parse("policy", policy).build()) if one.page == "base"]
    found: dict[str, set[int]] = {}
    for one in base:
        if one.verdict != "pass":
            found.setdefault(one.verdict, set()).add(one.case.number)
    assert len(base) == len(CASES) == 14
    assert found == FAILS[policy]


def test_swapped_pages_leak_into_a_pipe_until_5_17() -> None:
    """L5: the swap-in of a write still counted mappings."""
    table = conformance(["has_pinned", "page_count_5_18"])
    leaks = table[(table.verdict == "leak")]
    assert leaks.policy.unique().tolist() == ["has_pinned"]
    assert leaks.page.unique().tolist() == ["swapped"]
    assert leaks.case.tolist() == [3, 4]


def test_the_table_has_a_row_a_policy_case_and_page() -> None:
    table = conformance(["anon_exclusive:kernel=6.19", "mapcount"])
    assert table.columns.tolist() == ["policy", "case", "name", "page", "verdict", "reason"]
    assert len(table) == len(table.drop_duplicates(["policy", "case", "page"])) == 2 * 28
    assert set(table.policy) == {"anon_exclusive", "mapcount"}
    with pytest.raises(PluginError, match="no policy 'mapcont'"):
        conformance(["mapcont"])


def test_every_case_ends_with_its_only_process_and_starts_with_its_page() -> None:
    for case in CASES:
        base, swapped = case.program(swapped=False), case.program(swapped=True)
        assert [o.op for o in base[:2]] == ["spawn", "write"]
        assert [o.op for o in swapped[:3]] == ["spawn", "write", "page_out"]
        assert swapped[3:] == base[2:] or len(swapped) == len(base) + 1
        assert base[-1].op == "exit"


def test_a_machine_that_cannot_stage_a_case_says_why() -> None:
    def observe(program: object, config: MachineConfig) -> Observation:
        return Observation((), "no swap device")

    assert {(one.verdict, one.reason) for one in judge_all(observe, MachineConfig())} == {
        ("not applicable", "no swap device")
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_the_last_reader_decides(case: Case) -> None:
    """A value that nobody may see there turns a pass into the case's own failure."""
    program: list[Operation] = case.program(swapped=False)
    good = expect(spec.parse("policy", "oracle").build(), MachineConfig(), program)
    last = max(i for i, operation in enumerate(program) if isinstance(operation, Read | DeviceRead))
    steps = list(good.steps)
    steps[last] = replace(steps[last], tokens=np.array([99]))
    assert judge(case, program, good) == ("pass", "")
    assert judge(case, program, Observation(tuple(steps))) == ("leak" if case.number < 7 else "lost pin", "")
