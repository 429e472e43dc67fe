"""The store: what is written comes back with proper types; what is not a store, or cannot be used, is named."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import cowbench
from cowbench import schema
from cowbench.checks import Check
from cowbench.errors import StoreError
from cowbench.schema import Row
from cowbench.store import APPLICATION_ID, Store
from tests.conftest import make_result, make_row


def fill(path: Path, rows: list[Row]) -> None:
    with Store(path) as store:
        run = store.begin_run("2026-01-01T00:00:00+00:00", {"command": "test"})
        results = [make_result(row) for row in rows]
        store.add(results, run)
        store.point((r.row["policy"], r.row["workload"], r.row["seed"], r.key) for r in results)


def test_rows_come_back_as_they_went_in_ordered(tmp_path: Path) -> None:
    rows = [make_row("b", seed=1), make_row("b", seed=0), make_row("a", copies=7, fork_ns_mean=5)]
    fill(tmp_path / "s.db", rows)
    with Store(tmp_path / "s.db") as store:
        assert store.rows() == [rows[2], rows[1], rows[0]]
        assert store.runs() == [{"run": 1, "started": "2026-01-01T00:00:00+00:00", "cells": 3, "command": "test"}]


def test_checks_come_back_as_they_went_in(tmp_path: Path) -> None:
    clean = Check("2026-01-01T00:00:00+00:00", "6.18.5", "anon_exclusive", 7, 2000, 50000)
    bad = Check("2026-01-02T00:00:00+00:00", "5.10.0-42", "has_pinned:variant=5.9", 0, 10, 99, ("page 3: \u2026",),
                {"no swap": 4}, {"commit": "abc", "dirty": False})  # fmt: skip
    with Store(tmp_path / "s.db") as store:
        store.add_check(clean)
        store.add_check(bad)
    with Store(tmp_path / "s.db", read_only=True) as store:
        assert store.checks() == [clean, bad]


def test_a_store_from_before_there_were_checks_has_none_and_takes_them(tmp_path: Path) -> None:
    fill(tmp_path / "s.db", [make_row()])
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.execute("drop table checks")
        db.execute("pragma user_version = 2")
    db.close()
    with Store(tmp_path / "s.db", read_only=True) as store:
        assert store.checks() == []
        assert len(store.rows()) == 1
    with Store(tmp_path / "s.db") as store:
        store.add_check(Check("now", "6.18.5", "anon_exclusive", 7, 1, 2))
        assert [check.kernel for check in store.checks()] == ["6.18.5"]


def test_load_gives_proper_dtypes(tmp_path: Path) -> None:
    parameters = {"policy.on": True, "policy.depth": 3, "policy.share": 0.5, "policy.gfp": "sleep"}
    fill(tmp_path / "s.db", [make_row("a") | parameters, make_row("b", error="why", status="failed")])
    frame = cowbench.load(tmp_path / "s.db")
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert dtypes["policy"] == dtypes["status"] == "category"
    assert dtypes["copies"] == dtypes["fork_ns_mean"] == dtypes["policy.depth"] == "Int64"
    assert (dtypes["policy.on"], dtypes["policy.share"], dtypes["policy.gfp"]) == ("boolean", "Float64", "string")
    assert list(frame.columns[: len(schema.COLUMNS)]) == [column.name for column in schema.COLUMNS]
    assert frame["fork_ns_mean"].isna().all()
    assert frame.loc[1, "error"] == "why"


def test_a_parameter_that_means_different_things_is_text(tmp_path: Path) -> None:
    fill(tmp_path / "s.db", [make_row("a") | {"policy.x": 3}, make_row("b") | {"policy.x": "deep"}])
    assert list(cowbench.load(tmp_path / "s.db")["policy.x"]) == ["3", "deep"]


def test_the_run_that_asked_last_decides_which_row_is_shown(tmp_path: Path) -> None:
    fill(tmp_path / "s.db", [make_row(copies=1)])
    with Store(tmp_path / "s.db") as store:
        store.point([("mapcount", "small", 0, "another key")])
        assert store.rows() == []
        store.point([("mapcount", "small", 0, "mapcount small 0")])
        assert [row["copies"] for row in store.rows()] == [1]


def test_a_store_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    fill(tmp_path / "s.db", [make_row()])
    with Store(tmp_path / "s.db") as writer:
        writer._db.execute("begin immediate")
        assert len(cowbench.load(tmp_path / "s.db")) == 1
        writer._db.execute("rollback")


def test_a_missing_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.db: no such store; run 'cowbench run"):
        cowbench.load(tmp_path / "none.db")
    with pytest.raises(StoreError, match="make sure that its folder exists"):
        Store(tmp_path / "none" / "s.db")


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("policy,workload\n" * 100)
    with sqlite3.connect(tmp_path / "other.db") as db:
        db.execute("create table notes (text)")
    db.close()
    for name in ("text.db", "other.db"):
        before = (tmp_path / name).read_bytes()
        for read_only in (True, False):
            with pytest.raises(StoreError, match=rf"{name}: not a cowbench store"):
                Store(tmp_path / name, read_only=read_only)
        assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize(("version", "remedy"), [(99, "update cowbench"), (0, "give a new file")])
def test_a_store_of_another_schema_is_named(tmp_path: Path, version: int, remedy: str) -> None:
    with sqlite3.connect(tmp_path / "s.db") as db:
        db.execute(f"pragma application_id = {APPLICATION_ID}")
        db.execute(f"pragma user_version = {version}")
    db.close()
    with pytest.raises(StoreError, match=f"store of schema {version}, this cowbench has {schema.VERSION}; {remedy}"):
        Store(tmp_path / "s.db")


def make_old(path: Path) -> None:
    """Turn a store into one of schema 2, which had no columns about locks and no studies."""
    with sqlite3.connect(path) as db:
        for name in ("p50", "p99", "max"):
            db.execute(f"alter table rows drop column lock_hold_ns_{name}")
        db.execute("drop table studies")
        db.execute("drop table study_cells")
        db.execute("pragma user_version = 2")
    db.close()


def test_an_older_store_is_read_as_it_is_and_upgraded_when_written(tmp_path: Path) -> None:
    old, new = make_row("a", copies=3), make_row("b", lock_hold_ns_max=7)
    fill(tmp_path / "s.db", [old])
    make_old(tmp_path / "s.db")
    before = (tmp_path / "s.db").read_bytes()
    with Store(tmp_path / "s.db", read_only=True) as store:
        assert (store.rows(), store.studies()) == ([old], {})
    assert (tmp_path / "s.db").read_bytes() == before
    fill(tmp_path / "s.db", [new])
    with Store(tmp_path / "s.db") as store:
        store.add_study("s", "text", [("b", "small", 0, make_result(new).key)])
        assert store.rows() == [old, new]
        assert store.rows("s") == [new]
        assert store.studies() == {"s": "text"}


def test_a_locked_store_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cowbench.store._WAIT_S", 0.05)
    fill(tmp_path / "s.db", [make_row()])
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("begin immediate")
    with Store(tmp_path / "s.db") as store, pytest.raises(StoreError, match="locked by another process"):
        store.begin_run("now", {})
    other.close()


def test_a_full_disk_is_named_and_loses_nothing(tmp_path: Path) -> None:
    fill(tmp_path / "s.db", [make_row()])
    with Store(tmp_path / "s.db") as store:
        pages = store._db.execute("pragma page_count").fetchone()[0]
        store._db.execute(f"pragma max_page_count = {pages}")
        many = [make_result(make_row(seed=seed, error="x" * 1000)) for seed in range(1, 100)]
        with pytest.raises(StoreError, match="the disk is full; free some space and run again"):
            store.add(many, 1)
    assert len(cowbench.load(tmp_path / "s.db")) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become a user who may not write")
def test_a_store_that_may_only_be_read_is_read_and_not_written() -> None:
    folder = Path("/var/tmp") / f"cowbench_test_{os.getpid()}"  # tmp_path is closed to other users
    try:
        folder.mkdir(mode=0o755)
        fill(folder / "s.db", [make_row()])
        code = f"""
import sys
sys.path.insert(0, {str(Path(cowbench.__file__).parents[1])!r})
import os
from pathlib import Path
from cowbench.errors import StoreError
from cowbench.store import Store
os.setgid(65534); os.setuid(65534)
with Store(Path({str(folder / "s.db")!r}), read_only=True) as store:
    print(len(store.rows()))
try:
    Store(Path({str(folder / "s.db")!r}))
except StoreError as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(folder)
    assert done.stdout.splitlines()[:1] == ["1"], done.stderr
    assert "cannot be written; change its permissions" in done.stdout
