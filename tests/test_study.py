"""Studies: the file format, expressions over rows, claims that break with the rule behind them, and the command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cowbench import costs, plugins
from cowbench.cli import cli
from cowbench.errors import StudyError
from cowbench.report import plots, regimes
from cowbench.report.model import Cell
from cowbench.report.plots import LAW
from cowbench.store import Store
from cowbench.study import definition, evaluate, run
from cowbench.study.definition import Figure
from cowbench.study.rows import Interval, Rows
from tests.conftest import make_row

ROOT = Path(__file__).parents[1]
SMALL = """
title = "Small"
[[question]]
name = "short"
asks = "Are short pins lost?"
answer = "{pins.only(policy='{rule}').sum('lost_pins') == 0}"
limits = "none"
[[question.experiment]]
name = "pins"
policies = ["{rule}", "page_count"]
workloads = ["pin_window:forks=20,pages=64,rate=8.0"]
axes = { hold = [0.5, 1.0] }
seeds = 2
[[question.claim]]
says = "{rule} loses none."
holds = "pins.only(policy='{rule}').sum('lost_pins') == 0 < pins.only(policy='page_count').sum('lost_pins')"
[[question.figure]]
experiment = "pins"
x = "hold"
y = "lost_pins"
title = "Lost pins"
"""


def small(rule: str = "has_pinned") -> str:
    return SMALL.replace("{rule}", rule)


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def rows(*some: Mapping[str, object]) -> Rows:
    return Rows([make_row(**one) for one in some], "q: e")  # type: ignore[arg-type]


def test_a_study_runs_answers_and_is_not_run_twice(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(small())
    store = str(tmp_path / "s.db")
    first = call("study", str(tmp_path / "own.toml"), "--store", store, "--jobs", "1")
    assert first.exit_code == 0, first.output
    assert "Are short pins lost?\n  True\n" in first.stdout
    assert "holds: has_pinned loses none." in first.stdout
    with Store(tmp_path / "s.db") as opened:
        assert (len(opened.rows("own")), opened.rows()) == (8, [])
    again = call("study", str(tmp_path / "own.toml"), "--store", store, "--jobs", "1")
    assert "of 8 cells" not in again.stderr


def test_a_claim_that_does_not_hold_is_named_and_gives_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(small("longterm_only"))
    result = call("study", str(tmp_path / "own.toml"), "--store", str(tmp_path / "s.db"), "--jobs", "1", "--quiet")
    assert result.exit_code == 1
    assert "does not hold: short: longterm_only loses none." in result.stderr
    assert not result.stdout


def test_a_broken_rule_breaks_its_claim(tmp_path: Path) -> None:
    """has_pinned that no longer marks the mm loses what page_count loses."""
    text = (ROOT / "policies" / "has_pinned.py").read_text()
    (tmp_path / "unmarked.py").write_text(text.replace("mm.has_pinned = True", "pass"))
    file = str(tmp_path / "unmarked.py")
    study = small().replace('["has_pinned", ', f'["{file}", ').replace("policy='has_pinned'", "policy_name='unmarked'")
    (tmp_path / "own.toml").write_text(study)
    result = call("study", str(tmp_path / "own.toml"), "--store", str(tmp_path / "s.db"), "--jobs", "1")
    assert result.exit_code == 1, result.output


def test_the_report_has_a_chapter_with_answer_figure_and_claims(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(small())
    store = str(tmp_path / "s.db")
    assert call("study", str(tmp_path / "own.toml"), "--store", store, "--jobs", "1").exit_code == 0
    assert call("report", "--store", store, "--output", str(tmp_path), "--no-pdf").exit_code == 0
    page = (tmp_path / "index.html").read_text()
    chapter = page[page.index("Are short pins lost?") :]
    assert "Holds." in chapter
    assert "has_pinned loses none." in chapter
    assert re.search(r"<svg[^>]*>", chapter)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("title =", "titel ="), "unknown key 'titel': did you mean 'title'?"),
        (('title = "Small"', ""), "'title' is missing"),
        (('"pins"\npolicies', '"Pins!"\npolicies'), "name 'Pins!' must be"),
        (("seeds = 2", "seeds = 0"), "seeds=0 must be a whole number from 1"),
        (("axes = { hold = [0.5, 1.0] }", "axes = { hold = [] }"), "must map parameters to lists"),
        (('y = "lost_pins"', 'y = "lost_pin"'), "y 'lost_pin' is not known: did you mean 'lost_pins'?"),
        (('experiment = "pins"', 'experiment = "pin"'), "experiment 'pin' is not known"),
        (('x = "hold"', 'x = "hold"\nwhere = 3'), "'where' must map columns or parameters to values"),
        (('x = "hold"', 'x = "policy"\nlaw = "2"'), "a 'law' is drawn beside lines over a parameter only"),
        (('x = "hold"', 'kind = "regimes"\nx = "hold"'), "needs 'by'"),
        (('"has_pinned", "page_count"', '"has_pined"'), "no policy 'has_pined': did you mean 'has_pinned'?"),
        (("hold = [0.5", "hld = [0.5"), "has no parameter 'hld'"),
        (("[[question]]", "[[question"), "TOML says"),
    ],
)
def test_a_bad_study_is_one_line(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    assert change[0] in small()
    (tmp_path / "own.toml").write_text(small().replace(*change))
    result = call("study", str(tmp_path / "own.toml"), "--store", str(tmp_path / "s.db"))
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "s.db").exists()


def test_an_unknown_study_is_one_line() -> None:
    result = call("study", "seed-tread")
    assert (result.exit_code, "did you mean 'seed_thread'?" in result.stderr) == (2, True)
    assert call("study", "none.toml").exit_code == 2


def test_an_expression_that_fails_says_where(tmp_path: Path) -> None:
    text = small().replace("sum('lost_pins') == 0 <", "sum('lost_pns') == 0 <")
    answered = evaluate.answers(definition.parse("s", text, "s"), [])
    (verdict,) = answered[0].verdicts
    assert not verdict.holds
    assert "no row is left" in verdict.error
    with pytest.raises(StudyError, match="q: the expression 'nothing' fails: NameError"):
        evaluate.value("nothing", {}, "q")
    with pytest.raises(StudyError, match="fails: NameError"):
        evaluate.value("open('x')", {}, "q")


def test_rows_are_chosen_by_column_parameter_list_and_function() -> None:
    some = rows(
        {"policy": "a", "copies": 1, "workload.n": 1},
        {"policy": "b", "copies": 2, "workload.n": 2},
        {"policy": "b", "copies": 5, "workload.n": 3},
    )
    assert some.only(policy="b").values("copies") == [2, 5]
    assert some.only(n=[1, 3]).sum("copies") == 6
    assert some.only(n=lambda n: n > 1).mean("copies") == 3.5
    assert (some.axis("n"), some.by("policy", "copies")) == ([1, 2, 3], {"a": 1, "b": 3.5})
    assert (some.least("n", lambda rows: rows.sum("copies") > 1), some.least("n", "leaks")) == (2, None)
    with pytest.raises(StudyError, match="rows have no 'm'"):
        some.only(m=1)
    with pytest.raises(StudyError, match="no row is left to take copies from"):
        some.only(policy="c").sum("copies")


def test_a_trial_that_failed_stands_in_no_sum() -> None:
    with pytest.raises(StudyError, match="b on small, seed 0: it broke"):
        rows({"copies": 1}, {"policy": "b", "copies": None, "status": "failed", "error": "it broke"}).sum("copies")


def test_rates_and_shares_have_intervals() -> None:
    some = rows(*({"seed": n, "copies": n % 4, "forks": 2} for n in range(40)))
    rate, share = some.rate("copies", per="forks"), some.share("copies")
    assert (rate.value, share.value) == (0.75, 0.75)
    assert rate.low < 0.75 < rate.high
    assert 0.75 in share
    assert 0.5 not in share
    assert f"{Interval(1.0, 1.0, 1.0):.1f} {Interval(1.0, 0.5, 2.0):.1f}" == "1.0 1.0 (0.5 to 2.0)"
    assert some.rate("copies", per="forks") == rate
    with pytest.raises(StudyError, match="the sum of leaks is 0"):
        some.rate("copies", per="leaks")


def test_the_best_of_a_regime_respects_direction_and_ties() -> None:
    some = rows(
        {"policy": "a", "copies": 1, "leaks": 3, "workload.x": 1, "workload.y": 2},
        {"policy": "b", "copies": 2, "leaks": 3, "workload.x": 1, "workload.y": 2},
    )
    assert regimes.winners(some, "copies") == ("a",)
    assert regimes.winners(some, "leaks") == ("a", "b")
    figure = Figure("e", "regimes", "x", "copies", "Who copies least", by="y")
    assert "Who copies least" in plots.draw(figure, some, "n").caption
    assert [cell for row in plots.table(figure, some, "n").rows for cell in row]


def test_a_figure_shows_some_rows_their_law_and_kernels() -> None:
    some = rows(
        *(
            {"policy": p, "copies": n * x, "workload.x": x, "workload.y": n}
            for p in "ab"
            for x in (1, 3)
            for n in (1, 5)
        )
    )
    measured = rows({"policy": "kernel:6.1", "copies": 7, "workload.x": 3, "workload.y": 5})
    figure = Figure("e", "lines", "x", "copies", "Copies", where={"y": 5}, law="5 * x + 0.25")
    table = plots.table(figure, some, "n", measured)
    assert [cell if isinstance(cell, str) else str(cell) for cell in table.head] == ["x", "a", "b", "kernel:6.1", LAW]
    assert [[cell.text for cell in line if isinstance(cell, Cell)] for line in table.rows] == [
        ["1", "5", "5", "-", "5.25"],
        ["3", "15", "15", "7", "15.2"],
    ]
    drawn = plots.draw(figure, some, "n", measured)
    assert "a, b" in drawn.svg
    assert "kernel:6.1, measured" in drawn.svg
    assert LAW in drawn.svg
    assert "kernel" not in plots.draw(figure, some, "n").svg


def test_rows_of_a_kernel_stand_in_figures_and_in_no_claim() -> None:
    study = definition.parse("s", small().replace("seeds = 2", "seeds = 2\nmeasured = true"), "s")
    workloads = run.measured(study)
    assert [dict(one.values)["hold"] for one in workloads] == [0.5, 1.0]
    kernel = make_row(policy="kernel:6.1", workload=workloads[0].text, lost_pins=9)
    (answer,) = evaluate.answers(study, [kernel])
    assert (len(answer.rows["pins"]), len(answer.measured["pins"]), answer.unmeasured) == (0, 1, False)
    (without,) = evaluate.answers(study, [])
    assert without.unmeasured
    (unasked,) = evaluate.answers(definition.parse("s", small(), "s"), [kernel])
    assert (unasked.measured, unasked.unmeasured) == ({}, False)


def test_a_study_keeps_its_kernel_rows_when_it_runs_again(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        store.add_study("s", "text", [("mapcount", "small", 0, "k1")])
        store.add_to_study("s", [("kernel:6.1", "small", 0, "k2")])
        store.add_study("s", "text", [("oracle", "small", 0, "k3")])
        found = store._db.execute("select policy from study_cells order by policy").fetchall()
    assert found == [("kernel:6.1",), ("oracle",)]


def test_without_a_kernel_a_study_says_so(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(small().replace("seeds = 2", "seeds = 2\nmeasured = true"))
    store = str(tmp_path / "s.db")
    done = call("study", str(tmp_path / "own.toml"), "--store", store, "--jobs", "1")
    assert done.exit_code == 0
    assert "No real kernel was measured; --kernel host does so, as root." in done.stdout
    refused = call("study", str(tmp_path / "own.toml"), "--store", str(tmp_path / "t.db"), "--kernel", "none")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert not (tmp_path / "t.db").exists()


def test_the_built_in_study_can_be_run() -> None:
    """Every spec of it is known, every claim and answer compiles, every figure has its parameter."""
    study = run.find("seed-thread")
    assert len(study.questions) >= 9
    assert len(run.cells(study, costs.read_profile())) < 8000
    for question in study.questions:
        for claim in question.claims:
            compile(claim.holds, question.name, "eval")
        compile(f'f"""{question.answer}"""', question.name, "eval")
    assert plugins.data_folder("studies") == ROOT / "studies"


def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "studies.md").read_text()
    found = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert found
    (tmp_path / "own.toml").write_text(found[1])
    result = call("study", str(tmp_path / "own.toml"), "--store", str(tmp_path / "s.db"), "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert "0 early copies in 80 forks." in result.stdout
