"""The section that follows one trial: which one, what it shows of it, and when it cannot."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cowbench import costs, plugins, schema, spec, trial
from cowbench.errors import ParameterError
from cowbench.ledger import Event, EventKind
from cowbench.machine import Process
from cowbench.operations import Write
from cowbench.report import following
from cowbench.report.model import Block, Bullets, Figure, Paragraph, Table, cell, plain
from cowbench.report.results import Results
from cowbench.timeline import Step
from tests.conftest import SMALL, make_row, write_plugin

PROFILE = costs.read_profile()
RUN = {"run": 1, "started": "", "cells": 1, "command": "", "profile": PROFILE.to_json()}


def real(policy: str, workload: str, seed: int = 0) -> schema.Row:
    return trial.run_trial(spec.parse("policy", policy), spec.parse("workload", workload), seed, PROFILE)


def built(results: Results) -> list[Block]:
    return list(plugins.load("section", "time_line")().build(results))


def words(blocks: list[Block]) -> str:
    texts = [plain(block.text) for block in blocks if isinstance(block, Paragraph)]
    return " ".join(texts + [plain(item) for block in blocks if isinstance(block, Bullets) for item in block.items])


def test_the_most_surprising_trial_is_chosen() -> None:
    rows = [
        make_row("best", copies=8, false_positive_copies=8),
        make_row("by_rule", copies=99, false_positive_copies=90, false_positive_cause_policy=90),
        make_row("a", seed=1, copies=9, false_positive_copies=4),
        make_row("a", seed=2, copies=9, false_positive_copies=5),
        make_row("seer", sees_truth=1, copies=50, false_positive_copies=50),
        make_row("kernel:6.18", copies=70),
        make_row("broken", status="failed", copies=None, false_positive_copies=None),
    ]
    found = following.chosen(Results(rows, [], baseline="best"))
    assert found is not None
    assert (found["policy"], found["seed"]) == ("a", 2)
    without = following.chosen(Results(rows, [], baseline="a"))
    assert without is not None
    assert without["policy"] == "best"
    assert following.chosen(Results(rows[:1], [])) == rows[0]
    assert following.chosen(Results([make_row("a")], [])) is None


def test_a_trial_can_be_asked_for_whatever_commas_its_specs_have() -> None:
    rows = [make_row("p:a=1,b=2", "w:c=3,d=4", seed=5), make_row("kernel:6.18", seed=0)]
    results = Results(rows, [], trace="p:a=1,b=2,w:c=3,d=4,5")
    assert following.chosen(results) == rows[0]
    with pytest.raises(ParameterError, match="no trial 'p,w,5' in this store"):
        following.chosen(Results(rows, [], trace="p,w,5"))
    with pytest.raises(ParameterError, match="ran on a kernel"):
        following.chosen(Results(rows, [], trace="kernel:6.18,small,0"))


def test_what_is_shown_adds_up_to_the_row() -> None:
    row = real("page_count", "short_pin", 3)
    blocks = built(Results([row, real("oracle", "short_pin", 3)], [RUN], baseline="oracle"))
    text = words(blocks)
    assert "page_count on short_pin, seed 3: of all trials the one with most copies that nobody needed" in text
    assert f"make {row['copies']:,} copies, {row['false_positive_copies']:,} of them needless" in text
    assert f"there are {row['lost_pins']:,} lost pins." in text
    (table,) = [block for block in blocks if isinstance(block, Table)]
    sums = {
        name: sum(int(str(cell(line[at]).value)) for line in table.rows)
        for at, name in enumerate(table.head)
        if name in ("copies", "needless", "lost pins", "missed early copies")
    }
    names = ("copies", "false_positive_copies", "lost_pins", "missed_early_copies")
    assert list(sums.values()) == [row[name] for name in names]
    assert "warning" not in {block.kind for block in blocks if isinstance(block, Paragraph)}
    (figure,) = [block for block in blocks if isinstance(block, Figure)]
    assert "needless copy that loses a reference" in figure.svg
    matrix = re.search(r'transform="matrix\(([-.0-9]+)', figure.svg)
    assert matrix is not None
    assert float(matrix[1]) != round(float(matrix[1]), 2)  # rounded, the picture is visibly smaller than its axes
    assert any(mark.hint.startswith("5: process 0 writes") for mark in figure.marks.values())


def test_a_row_of_another_version_is_warned_of() -> None:
    row = real("page_count", "all_pinned:pages=64") | {"copies": 65}
    blocks = built(Results([row], [RUN]))
    (warning,) = [block for block in blocks if isinstance(block, Paragraph) and block.kind == "warning"]
    assert plain(warning.text).startswith("Run again for this page, it differs from its row in copies:")


def test_without_its_plug_in_a_trial_cannot_be_followed() -> None:
    (block,) = built(Results([make_row("mine", copies=3)], [RUN]))
    assert isinstance(block, Paragraph)
    assert plain(block.text).startswith("mine on small, seed 0 cannot be followed: no policy 'mine'")


def test_nothing_to_follow_is_said() -> None:
    (block,) = built(Results([make_row("mapcount")], [RUN]))
    assert isinstance(block, Paragraph)
    assert plain(block.text) == "No trial copied a page, so there is none to follow."


def step(number: int, **events: list[int]) -> Step:
    kinds: dict[str, EventKind] = {"copy": "copies", "needless": "false_positive_copies", "lost": "lost_pins"}
    kinds |= {"got": "lost_gets", "leak": "leaks", "reuse": "reuses"}
    booked = tuple(Event(kinds[kind], 0, np.array(pages)) for kind, pages in events.items())
    return Step(number, Write(Process(0), range(6)), range(6), "", booked, None, False)


def test_a_picture_has_the_worst_of_each_page_and_operation() -> None:
    first = step(1, copy=[0, 1, 2, 3], needless=[1, 3], lost=[2, 3], leak=[4], reuse=[5])
    seen = following.picture([first, step(2), step(3, copy=[0], got=[0])])
    assert seen.codes.T.tolist() == [[1, 2, 3, 4, 5, 0], [0] * 6, [3, 0, 0, 0, 0, 0]]
    assert seen.found == list(following.CODES)
    assert (seen.pages, seen.operations) == (1, 1)


def test_a_large_picture_puts_pages_and_operations_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "UP", 4)
    monkeypatch.setattr(following, "ACROSS", 2)
    seen = following.picture([step(1, copy=[0]), step(2, copy=[5]), step(3), step(4, copy=[1], needless=[1])])
    assert (seen.pages, seen.operations) == (2, 2)
    assert seen.codes.tolist() == [[1, 2], [0, 0], [1, 0]]


def test_a_failed_trial_is_followed_as_far_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path / "workloads", "small", SMALL.replace("machine.write(child, range(4))", "1 / 0"))
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tmp_path))
    row = real("eager_copy", "small")
    blocks = built(Results([row], [RUN], trace="eager_copy,small,0"))
    assert row["status"] == "failed"
    assert "It ended early, failed: workload small" in words(blocks)


def test_a_plug_in_of_ones_own_is_followed_by_its_file(tmp_path: Path) -> None:
    load = write_plugin(tmp_path, "small", SMALL)
    row = real("page_count", load, 1)
    text = words(built(Results([row], [RUN | {"files": {"small": load}}])))
    assert row["workload"] == "small"
    assert f"cowbench trace view --policy page_count --workload {load} --seed 1" in text
