"""The section that holds the model against kernels: checks of the store, and trials of both side by side."""

from __future__ import annotations

from typing import Any

from cowbench import plugins
from cowbench.checks import Check
from cowbench.report.agreement import Difference, agreements, uncounted
from cowbench.report.model import Block, Bullets, Fold, Paragraph, Table, cell, plain
from cowbench.report.results import Results
from cowbench.schema import METRICS, Row
from tests.conftest import make_row

CLEAN = Check(
    "2026-01-01T10:20:30+00:00", "6.18.5", "anon_exclusive", 7, 1000, 25000, (), {"no swap": 12},
    {"cowbench": "0.1.0", "commit": "0123456789abcdef", "dirty": True},
)  # fmt: skip
BROKEN = Check("2026-01-02T10:20:30+00:00", "5.10.0-42", "has_pinned", 0, 1, 4, ("after operation 3, page 0 moved",))


def seen(workload: str, seed: int = 0, **counts: Any) -> Row:
    """Return a row of a kernel, of which only some counts can be seen."""
    row = make_row("kernel:6.18.5", workload, seed) | dict.fromkeys(METRICS) | {"copies": 0, "leaks": 0}
    return row | {"profile": "measured"} | counts


MODEL = [
    make_row("anon_exclusive", "w1", 0, copies=5, reuses=9),
    make_row("anon_exclusive", "w1", 1, copies=6),
    make_row("anon_exclusive", "w2", 0, copies=7, status="failed"),
    make_row("mapcount", "w1", 0, copies=5, leaks=2),
    make_row("mapcount", "w1", 1, copies=1, leaks=3),
]
KERNEL = [
    seen("w1", 0, copies=5),
    seen("w1", 1, copies=8),
    seen("w2", 0, copies=7),
    seen("w3", 0, copies=1),
    seen("w4", 0, copies=None, leaks=None, error="not counted: too many frames"),
    seen("w5", 0, copies=None, leaks=None, status="not_applicable", error="no swap"),
]


def built(results: Results) -> list[Block]:
    return list(plugins.load("section", "kernel_checks")().build(results))


def words(blocks: list[Block]) -> list[str]:
    texts = [plain(block.text) for block in blocks if isinstance(block, Paragraph)]
    return texts + [plain(item) for block in blocks if isinstance(block, Bullets) for item in block.items]


def test_what_came_of_checks_is_said() -> None:
    blocks = built(Results([], [], checks=[CLEAN, BROKEN]))
    said = words(blocks)
    assert (
        "6.18.5: 1,000 programs of 25,000 operations in all, all as under anon_exclusive; left out: 12 (no swap)."
        in said
    )
    assert "5.10.0-42: 1 program of 4 operations in all, 1 difference from has_pinned." in said
    (table,) = [block for block in blocks if isinstance(block, Table)]
    lines = [[plain(cell(content).text) for content in row] for row in table.rows]
    assert lines[0][-2:] == ["2026-01-01 10:20", "0.1.0 0123456789ab, with changes"]
    assert [cell(row[4]).tone for row in table.rows] == ["good", "bad"]
    (fold,) = [block for block in blocks if isinstance(block, Fold)]
    assert fold.summary == "1 difference on 5.10.0-42"
    assert fold.blocks == (Bullets(BROKEN.differences),)


def test_trials_are_compared_in_what_can_be_seen() -> None:
    nearest, other = agreements(Results(MODEL, [], measured=KERNEL), "kernel:6.18.5")
    assert (nearest.policy, nearest.trials, nearest.equal) == ("anon_exclusive", 2, 1)
    assert nearest.differences == (Difference("w1", 1, "copies", 8, 6),)
    assert (other.policy, other.trials, other.equal, len(other.differences)) == ("mapcount", 2, 0, 3)


def test_the_policy_of_a_check_is_shown_and_a_nearer_one_named() -> None:
    check = Check("2026", "6.18.5", "mapcount", 0, 1, 1)
    blocks = built(Results(MODEL, [], checks=[check], measured=KERNEL))
    text = " ".join(words(blocks))
    assert "6.18.5 counts as mapcount in 0 of 2 trials of workloads" in text
    assert "anon_exclusive agrees more often: in 1 of 2." in text
    tables = {block.name: block for block in blocks if isinstance(block, Table)}
    assert len(tables["differences-6-18-5"].rows) == 3
    assert [plain(cell(row[0]).text) for row in tables["agreement-6-18-5"].rows] == ["anon_exclusive", "mapcount"]


def test_trials_without_counts_are_told_with_their_reason() -> None:
    results = Results(MODEL, [], measured=KERNEL)
    assert uncounted(results, "kernel:6.18.5") == {"no swap": 1, "not counted: too many frames": 1}
    assert {"1: no swap", "1: not counted: too many frames"} <= set(words(built(results)))


def test_points_of_curves_are_compared_too() -> None:
    point = {"curve": "pages"}
    results = Results([], [], points=[seen("w1", copies=5) | point, make_row("mapcount", "w1", copies=5) | point])
    assert [one.equal for one in agreements(results, "kernel:6.18.5")] == [1]


def test_what_has_no_counterpart_or_was_never_checked_is_said() -> None:
    assert words(built(Results(MODEL, [], measured=[seen("w9")])))[0] == (
        "No policy in this store ran the trials that 6.18.5 ran."
    )
    assert words(built(Results(MODEL, [])))[0].startswith("Nothing in this store was held against a real kernel.")
