"""Stores that cannot be shown, and reports that cannot be written: one line that names the thing and the remedy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from cowbench.cli import cli
from cowbench.schema import VERSION
from cowbench.store import APPLICATION_ID, Store
from tests.conftest import make_result, make_row

READERS = (("report", "--no-pdf"), ("show",), ("export", "--csv", "-"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fill(path: Path, policies: int = 40) -> None:
    with Store(path) as store:
        run = store.begin_run("2026-01-01T00:00:00+00:00", {"command": "test"})
        results = [make_result(make_row(f"p{number}")) for number in range(policies)]
        store.add(results, run)
        store.point((one.row["policy"], one.row["workload"], one.row["seed"], one.key) for one in results)


def error(*words: str) -> str:
    """Return the one line that a wrong call is answered with; nothing else is left behind."""
    result = CliRunner().invoke(cli, list(words))
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert not Path("report").exists()
    return line


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("create table rows (key)")
    db.close()


def newer(path: Path) -> None:
    fill(path)
    with sqlite3.connect(path) as db:
        db.execute(f"pragma user_version = {VERSION + 1}")
    db.close()


def without_tables(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {VERSION}")
    db.close()


def cut(path: Path) -> None:
    fill(path)
    path.write_bytes(path.read_bytes()[:9000])


def overwritten(path: Path) -> None:
    fill(path)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:8192] + b"\xff" * (size - 8192))


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such store; run 'cowbench run --store s.db' first"),
    "a folder": (lambda path: path.mkdir(), "a folder, not a store; give a file"),
    "text": (lambda path: path.write_text("hello"), "not a cowbench store; give another file"),
    "no bytes": (lambda path: path.touch(), "not a cowbench store; give another file"),
    "foreign": (foreign, "not a cowbench store; give another file"),
    "newer": (newer, f"store of schema {VERSION + 1}, this cowbench has {VERSION}; update cowbench"),
    "without tables": (without_tables, "no such table"),
    "cut": (cut, "the store is damaged; give a new file and run again"),
    "overwritten": (overwritten, "the store is damaged; give a new file and run again"),
}


@pytest.mark.parametrize("reader", READERS, ids=[reader[0] for reader in READERS])
@pytest.mark.parametrize("case", BAD)
def test_a_store_that_is_none_is_named_in_one_line(reader: tuple[str, ...], case: str) -> None:
    make, words = BAD[case]
    make(Path("s.db"))
    line = error(*reader, "--store", "s.db")
    assert line.startswith("cowbench: s.db: ")
    assert words in line


def test_running_into_a_folder_is_refused_in_the_same_words() -> None:
    Path("s.db").mkdir()
    words = ("run", "--policy", "mapcount", "--workload", "no_fork", "--store", "s.db")
    assert error(*words) == "cowbench: s.db: a folder, not a store; give a file"


@pytest.mark.parametrize("policies", [0, 1, 3])
def test_what_is_asked_for_and_not_in_the_store_is_named(policies: int) -> None:
    fill(Path("s.db"), policies)
    report = ("report", "--no-pdf", "--store", "s.db")
    assert "no policy 'q1' in s.db" in error(*report, "--baseline", "q1")
    assert "no trial 'q1,small,0' in this store" in error(*report, "--trace", "q1,small,0")
    assert "no metric 'copes'" in error("show", "--store", "s.db", "--metric", "copes")


def test_a_trial_that_cannot_be_run_again_takes_no_page_with_it() -> None:
    fill(Path("s.db"), 2)
    result = CliRunner().invoke(cli, ["report", "--no-pdf", "--store", "s.db", "--trace", "p1,small,0"])
    assert result.exit_code == 0, result.output
    assert "p1 on small, seed 0 cannot be followed: no policy" in Path("report/index.html").read_text()


def test_a_folder_that_cannot_be_written_is_named() -> None:
    fill(Path("s.db"), 1)
    Path("file").write_text("")
    line = error("report", "--no-pdf", "--store", "s.db", "--output", "file/below")
    assert line == "cowbench: file/below: cannot be written (Not a directory); give another --output"


def test_an_empty_store_is_reported_and_shown_as_such() -> None:
    fill(Path("s.db"), 0)
    shown = CliRunner().invoke(cli, ["show", "--store", "s.db"])
    assert shown.stdout == "s.db holds no rows; run 'cowbench run --store s.db'\n"
    assert CliRunner().invoke(cli, ["report", "--no-pdf", "--store", "s.db"]).exit_code == 0
