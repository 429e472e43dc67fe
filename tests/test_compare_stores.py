"""cowbench compare: sentences and tables on a terminal, exit codes, and what cannot be compared."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cowbench.cli import cli
from cowbench.store import Store
from tests.conftest import make_result, make_row


def store(path: Path, scale: float, *, policy: str = "mapcount", seeds: int = 16, **values: Any) -> str:
    """Write a store with copies of one policy at random seeds, and of an exact workload."""
    rows = [make_row(policy, "drawn", seed, copies=round((50 + 37 * seed % 91) * 10 * scale)) for seed in range(seeds)]
    rows.append(make_row(policy, "fixed", 0, copies=int(100 * scale), sampling="exact", **values))
    with Store(path) as opened:
        opened.add([make_result(row) for row in rows], opened.begin_run("2026-01-01T00:00:00+00:00", {}))
        opened.point((row["policy"], row["workload"], row["seed"], make_result(row).key) for row in rows)
    return str(path)


def compare(*words: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *words])


def test_what_got_worse_is_said_in_sentences_and_a_table(tmp_path: Path) -> None:
    old, new = store(tmp_path / "a.db", 1), store(tmp_path / "b.db", 1.1)
    done = compare(old, new)
    assert done.exit_code == 0
    assert "2 worse" in done.stdout
    assert "- On drawn, mapcount has 10 % more copies than in a.db (" in done.stdout
    assert "- On fixed, mapcount has 10 % more copies than in a.db (110 against 100, exact): worse." in done.stdout
    table = [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]
    assert [row[:4] for row in table[1:]] == [
        ["drawn", "mapcount", "copies", "worse"],
        ["fixed", "mapcount", "copies", "worse"],
    ]


def test_the_exit_code_tells_ci(tmp_path: Path) -> None:
    old, new = store(tmp_path / "a.db", 1), store(tmp_path / "b.db", 1.1)
    assert compare(old, new, "--fail-on", "worse").exit_code == 1
    assert compare(new, old, "--fail-on", "worse").exit_code == 0
    assert compare(new, old, "--fail-on", "different").exit_code == 1
    assert compare(old, old, "--fail-on", "different").exit_code == 0
    assert compare(old, new, "--fail-on", "worse", "--margin", "0.2").exit_code == 0
    assert compare(old, new, "--fail-on", "worse", "--metric", "leaks").exit_code == 0


def test_a_new_leak_is_found_without_being_asked_for(tmp_path: Path) -> None:
    old, new = store(tmp_path / "a.db", 1), store(tmp_path / "b.db", 1, leaks=2)
    assert "On fixed, mapcount has 2 more leaks than in a.db (2 against 0, exact): worse." in compare(old, new).stdout


def test_two_kernels_are_held_against_each_other_whatever_their_releases(tmp_path: Path) -> None:
    old = store(tmp_path / "a.db", 1, policy="kernel:6.1.0")
    new = store(tmp_path / "b.db", 0.5, policy="kernel:6.12.0")
    assert (
        "On fixed, kernel has 50 % fewer copies than in a.db (50 against 100, exact): better."
        in compare(old, new).stdout
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--metric", "copis"], "no metric 'copis': did you mean 'copies'"),
        (["--metric", "reuses"], "metric 'reuses' has no better side"),
        (["--margin", "5"], "margin=5.0: give a share between 0 and 1"),
    ],
)
def test_bad_words_are_one_line_and_exit_code_2(tmp_path: Path, words: list[str], complaint: str) -> None:
    same = store(tmp_path / "a.db", 1)
    done = compare(same, same, *words)
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_store_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    same = store(tmp_path / "a.db", 1)
    with Store(tmp_path / "empty.db"):
        pass
    for other, complaint in (("none.db", "no such store"), ("empty.db", "holds no rows")):
        done = compare(same, str(tmp_path / other))
        assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
        assert other in done.stderr
        assert complaint in done.stderr


def test_the_report_says_the_same_as_the_terminal(tmp_path: Path) -> None:
    old, new = store(tmp_path / "a.db", 1), store(tmp_path / "b.db", 1.1)
    output = tmp_path / "report"
    done = CliRunner().invoke(cli, ["report", "--store", new, "--against", old, "--output", str(output), "--no-pdf"])
    assert done.exit_code == 0
    page = " ".join(re.sub(r"<[^>]*>", " ", (output / "index.html").read_text()).split())
    told = [line.removeprefix("- ") for line in compare(old, new).stdout.splitlines() if "\t" not in line]
    assert len(told) == 3
    for sentence in told:
        assert sentence in page
    missing = CliRunner().invoke(cli, ["report", "--store", new, "--against", str(tmp_path / "none.db")])
    assert (missing.exit_code, "no such store" in missing.stderr) == (2, True)
