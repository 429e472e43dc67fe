"""The built-in study: claims fail once the policy behind them is broken on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cowbench import plugins
from cowbench.costs import read_profile
from cowbench.store import Store
from cowbench.study import evaluate, run
from cowbench.sweep import sweep

ROOT = Path(__file__).parents[1]


def broken_claims(question: str, store: Path) -> set[str]:
    """Run one question of the built-in study with one seed and return the claims that do not hold."""
    study = run.find("seed-thread")
    (asked,) = (one for one in study.questions if one.name == question)
    experiments = tuple(replace(one, seeds=1) for one in asked.experiments)
    study = replace(study, questions=(replace(asked, experiments=experiments),))
    with Store(store) as rows:
        cells = run.cells(study, read_profile())
        sweep(cells, rows, read_profile(), study=(study.name, study.text))
        (answer,) = evaluate.answers(study, rows.rows(study.name))
    assert not any(verdict.error for verdict in answer.verdicts)
    return {verdict.claim.says for verdict in answer.verdicts if not verdict.holds}


@pytest.fixture
def break_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Put a copy of the built-in policies in their place, in which one is broken."""

    def change(policy: str, right: str, wrong: str) -> None:
        folder = shutil.copytree(ROOT / "policies", tmp_path / "policies")
        text = (folder / f"{policy}.py").read_text()
        assert text.count(right) == 1
        (folder / f"{policy}.py").write_text(text.replace(right, wrong))
        found = plugins.data_folder
        monkeypatch.setattr(plugins, "data_folder", lambda name: folder if name == "policies" else found(name))

    return change


@pytest.mark.parametrize(
    ("question", "policy", "right", "wrong", "broken"),
    [
        (
            "sticky_or_counter",
            "pin_counter",
            "mm.pins -= pages",
            "pass",
            {"A counter of the mm, or an exact count a page, makes no early copy after the last unpin."},
        ),
        (
            "longterm_only",
            "has_pinned",
            "mm.has_pinned = True",
            "mm.has_pinned |= longterm",
            {
                "has_pinned copies rate x hold pages a fork instead, and loses nothing.",
                "Every pin that longterm_only loses is one that has_pinned copied early.",
            },
        ),
        (
            "bias",
            "anon_exclusive",
            "fork.exclusive & rules.maybe_pinned(fork, extra=1)",
            "rules.maybe_pinned(fork, extra=1)",
            {"Since 5.19 sharers never are enough, and references are at 1,022, for fork's own is counted."},
        ),
    ],
)
def test_a_broken_policy_breaks_the_claims_about_it(
    tmp_path: Path,
    break_policy: Callable[[str, str, str], None],
    question: str,
    policy: str,
    right: str,
    wrong: str,
    broken: set[str],
) -> None:
    assert broken_claims(question, tmp_path / "right.db") == set()
    break_policy(policy, right, wrong)
    assert broken_claims(question, tmp_path / "wrong.db") == broken
