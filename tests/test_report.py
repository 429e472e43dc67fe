"""The report: true sentences, everything escaped, the same bytes for the same store, and nothing from outside."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cowbench import costs, report
from cowbench.cli import cli
from cowbench.errors import CowbenchError
from cowbench.report import assembly, page, sensitivity
from cowbench.report.results import Results
from cowbench.schema import Row
from cowbench.store import Store
from tests.conftest import make_result, make_row, write_plugin
from tests.report_cases import PROFILE, RUN, failed


def row(policy: str, workload: str = "w1", seed: int = 0, **values: Any) -> Row:
    """Return a row with one fork of 1,000 entries and as many early copies as are given."""
    early = values.pop("early", 0)
    forks = {"forks": 1, "forks_ptes": 1000, "forks_early_copies": early, "forks_allocations": early}
    made = make_row(policy, workload, seed) | forks | values
    return made | {"fork_ns_mean": costs.mean_fork_ns(made, PROFILE)}


def results(*rows: Row, **run: Any) -> Results:
    return Results(rows, [RUN | run])


def rendered(found: Results) -> str:
    return page.render(assembly.build(found))


def text(*rows: Row, **run: Any) -> str:
    """Return the words of a page, without tags."""
    page = re.sub(r"<(style|script)>.*?</\1>", " ", rendered(results(*rows, **run)), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page).split()))


FOUR = (
    row("clean", sampling="exact", copies=90, false_positive_copies=10, false_positive_cause_swap_cache=10, early=9),
    row("eager", sampling="exact", copies=900, false_positive_copies=820, false_positive_cause_policy=820, early=900),
    row("leaky", sampling="exact", copies=5, leaks=7),
    row("oracle", sampling="exact", copies=80, sees_truth=1),
)


def test_the_answer_names_the_winner_the_next_and_the_yardstick_with_their_numbers() -> None:
    words = text(*FOUR)
    assert "clean copies least of those that leak nothing and lose no pin: 90 pages, 10 of them needlessly" in words
    assert "Next is eager with 10.0 times as many (900): worse on 1 of 1 workload, controls aside." in words
    assert "oracle, which sees what no kernel can, has 11 % fewer (80)." in words
    assert "leaky copies less than clean, and leaks or loses pins." in words
    assert "100 % of clean's needless copies come from swap cache" in words
    assert "leaky leaks on w1." in words


def test_losing_references_of_get_does_not_bar_from_winning_but_is_said() -> None:
    words = text(*FOUR[1:], row("getter", copies=85, lost_gets=3))
    assert "getter copies least of those that leak nothing and lose no pin: 85 pages" in words
    lost = "getter loses FOLL_GET references on w1; eager is the best that loses none, with 10.6 times as many (900)."
    assert lost in words
    assert "no policy loses none" in text(row("a", copies=1, lost_gets=1), row("b", copies=2, lost_gets=1))


def test_when_all_lose_pins_or_leak_nobody_is_recommended() -> None:
    words = text(row("a", leaks=1), row("b", lost_pins=1))
    assert "Every policy leaks or loses pins on some workload, so none is recommended." in words
    assert "copies least" not in words


def test_why_pins_were_lost_is_told_where_fork_shared_them() -> None:
    words = text(row("a", lost_pins=5, missed_early_copies=7), row("a", "w2", missed_early_copies=9), row("b"))
    assert "a loses pins on w1 (fork shared 7 referenced pages there)." in words


def test_sums_are_over_workloads_that_all_policies_ran_to_the_end() -> None:
    rows = [row("a", copies=1), row("a", "w2", copies=50), row("b", copies=2), row("a", "w3", copies=9, status="ok")]
    words = text(*rows, row("b", "w3", copies=4, status="out_of_frames"))
    assert "Left out of sums, because not every policy ran the same seeds to the end: w2 and w3." in words
    assert "a copies least of those that leak nothing and lose no pin: 1 pages" in words


def test_a_policy_of_which_every_trial_failed_does_not_take_the_sums_of_the_others() -> None:
    words = text(*FOUR, failed("bad"))
    assert "clean copies least of those" in words
    assert "Without any trial that came to its end: bad." in words
    assert "No trial came to its end" in text(failed("bad"), failed("worse"))


def test_comparisons_say_how_many_are_exact_and_what_stays_undecided() -> None:
    rng = np.random.default_rng(1)
    rows = [row("a", seed=s, copies=int(n)) for s, n in enumerate(rng.integers(90, 110, 16))]
    rows += [row("b", seed=s, copies=int(n)) for s, n in enumerate(rng.integers(90, 110, 16))]
    words = text(*rows)
    assert "2 of 3 comparisons are exact; the others are tested over seeds" in words
    assert "Undecided: no difference shown on 1." in words
    assert "Undecided: untestable on 1." in text(*(r for r in rows if r["seed"] < 3))


def test_means_are_over_seeds() -> None:
    found = results(row("a", copies=1), row("a", seed=1, copies=2))
    assert found.sums("copies")["a"] == 1.5


def test_an_empty_store_says_so_in_words() -> None:
    words = text()
    assert "This store holds no trials yet." in words
    assert "no fork to time" in words


def test_one_policy_has_nothing_to_be_compared_with() -> None:
    assert "There is one policy only, clean, so there is nothing" in text(FOUR[0])


def test_failed_cells_are_named_and_shown() -> None:
    words = text(*FOUR, failed("bad"))
    assert "1 trial failed: policy bad.py:3: it broke" in words
    assert "failed" in words


def test_names_and_errors_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    broken = row(evil, "<img src=x>", status="failed", error='"><script>alert(2)</script>', leaks=1)
    found = rendered(results(*FOUR, row(evil, copies=3, early=1, false_positive_cause_lock=1), broken, command=evil))
    assert found.count("<script") == 1  # the page's own
    assert "<img" not in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found


def test_mathematics_in_a_name_is_left_alone() -> None:
    assert "$x^2$" in rendered(results(row("$x^2$", early=1, false_positive_cause_lock=1), FOUR[0]))


def test_nothing_is_asked_from_outside() -> None:
    found = rendered(results(*FOUR))
    for attribute in re.findall(r'(?:src|href|url|action|data)\s*[=(]\s*["\']?([^"\'>)]*)', found):
        assert attribute.startswith(("#", "data:")), attribute
    assert "default-src 'none'" in found
    assert "@import" not in found


def stored(folder: Path, *rows: Row) -> Path:
    """Write a store with these rows and return its path."""
    with Store(folder / "s.db") as store:
        made = [make_result(one) for one in rows]
        run = {name: value for name, value in RUN.items() if name not in ("run", "cells", "started")}
        store.add(made, store.begin_run("2026-01-01T00:00:00+00:00", run))
        store.point((r.row["policy"], r.row["workload"], r.row["seed"], r.key) for r in made)
    return folder / "s.db"


def test_the_same_store_gives_the_same_bytes_of_page_and_pdf(tmp_path: Path) -> None:
    store = stored(tmp_path, *FOUR)
    made = []
    for hash_seed in ("1", "2"):
        words = ["report", "--store", str(store), "--output", str(tmp_path / hash_seed)]
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "TZ": f"UTC{hash_seed}"}
        subprocess.run([sys.executable, "-m", "cowbench", *words], check=True, env=environment, capture_output=True)
        made.append([(tmp_path / hash_seed / name).read_bytes() for name in ("index.html", "report.pdf")])
    assert made[0] == made[1]


def test_a_section_given_by_its_file_is_added_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    store = str(stored(tmp_path, *FOUR))
    mine = write_plugin(tmp_path, "mine", SECTION)
    call = ["report", "--store", store, "--output", str(tmp_path / "out"), "--section"]
    done = CliRunner().invoke(cli, [*call, mine, "--no-pdf"])
    assert done.exit_code == 0, done.output
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["index.html"]
    assert "4 &lt;rows&gt;" in (tmp_path / "out" / "index.html").read_text()
    wrong = write_plugin(tmp_path, "wrong", "class")
    done = CliRunner().invoke(cli, [*call, wrong])
    assert done.exit_code == 2
    assert re.fullmatch(rf"cowbench: section {wrong}:1: SyntaxError.*\n", done.stderr)
    done = CliRunner().invoke(cli, [*call, str(tmp_path / "none.py")])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


def test_a_section_that_bears_a_built_in_name_stands_beside_it(tmp_path: Path) -> None:
    mine = Path(write_plugin(tmp_path, "matrix", SECTION))
    names = [chapter.name for chapter in assembly.build(results(*FOUR), [mine]).chapters]
    assert "matrix" in names
    assert sum(name.startswith("matrix@") for name in names) == 1


def test_a_baseline_is_what_the_others_are_compared_with_and_must_be_there(tmp_path: Path) -> None:
    store = str(stored(tmp_path, *FOUR))
    call = ["report", "--store", store, "--output", str(tmp_path), "--no-pdf", "--baseline"]
    assert CliRunner().invoke(cli, [*call, "eager"]).exit_code == 0
    assert "held against eager" in (tmp_path / "index.html").read_text()
    done = CliRunner().invoke(cli, [*call, "eagre"])
    assert (done.exit_code, done.stderr) == (2, f"cowbench: no policy 'eagre' in {store}: did you mean 'eager'?\n")


@pytest.mark.parametrize("blocked", ["index.html", "report.pdf"])
def test_when_one_file_cannot_be_written_neither_is(tmp_path: Path, blocked: str) -> None:
    store = stored(tmp_path, *FOUR)
    output = tmp_path / "out"
    (output / blocked).mkdir(parents=True)  # a folder where the file should be, for root may write everywhere
    done = CliRunner().invoke(cli, ["report", "--store", str(store), "--output", str(output)])
    assert done.exit_code == 2
    assert re.fullmatch(rf"cowbench: \S*{blocked}: cannot be written \(.*\); give another --output\n", done.stderr)
    assert [file.name for file in output.iterdir()] == [blocked]


SECTION = """from collections.abc import Iterator

from cowbench.report.model import Block, Paragraph
from cowbench.report.results import Results
from cowbench.report.section import Section


class Mine(Section):
    title = "My own"
    order = 5

    def build(self, results: Results) -> Iterator[Block]:
        yield Paragraph(f"{len(results.rows)} <rows>")
"""


def test_a_section_of_ones_own_is_there_and_a_broken_one_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path / "reports", "mine", SECTION)
    write_plugin(tmp_path / "reports", "raises", SECTION.replace("len(", "1 / 0, len("))
    write_plugin(tmp_path / "reports", "wrong", SECTION.replace("Paragraph(f", "str(f"))
    write_plugin(tmp_path / "reports", "syntax", "class")
    monkeypatch.setenv("COWBENCH_PLUGINS", str(tmp_path))
    words = text(*FOUR)
    assert "My own 4 <rows>" in words
    assert re.search(r"This section is missing. section \S*raises.py:13: ZeroDivisionError", words)
    assert re.search(r"wrong.py: what build\(\) gives must be parts of cowbench.report.model, not str", words)
    assert re.search(r"syntax.py:1: SyntaxError", words)
    assert "clean copies least" in words


def test_an_output_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "report").write_text("in the way")
    with pytest.raises(CowbenchError, match=r"report: cannot be written .*give another --output"):
        report.write(stored(tmp_path), tmp_path / "report")


def test_rows_of_two_engines_or_profiles_are_pointed_out() -> None:
    two = Results(FOUR, [RUN, RUN | {"engine": "e2", "profile": PROFILE.to_json()}])
    assert "more than one version" in rendered(two)
    mixed = [RUN | {"profile": PROFILE.scaled("fork_base", scale).to_json()} for scale in (1, 2)]
    assert "several cost profiles" in rendered(Results(FOUR, mixed))


def test_halving_a_cost_turns_orders_that_hang_on_it() -> None:
    walks = row("walks") | {"forks_ptes": 2000}
    copies = row("copies", early=150)  # 150 x (251 + 200) ns against 1,000 x 54.7 ns
    found = {(c.entry, c.factor): c for c in sensitivity.changes([walks, copies], PROFILE)}
    assert found["early_copy", 0.5].turned == 1
    assert found["early_copy", 2.0].turned == 0
    assert found["fork_base", 0.5].turned == 0
    assert ("fork_per_pte", 0.5) not in found  # published, not assumed
