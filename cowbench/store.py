"""The result store: one SQLite file that can be read while it is written and survives being killed.

rows: one trial a row, keyed by all that can change it. grid: which row stands for (policy, workload, seed) today;
the run that asked last decides, so rows of an edited plug-in stay as a cache but are not shown. studies: the text of
each study that was run; study_cells: its own grid; searches: pieces of searches of the rules (cowbench.search).
cells: when, where and how long each row took. runs: provenance, once a run. checks: the model held against kernels
(cowbench.checks).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cowbench import checks, schema
from cowbench.checks import Check
from cowbench.errors import StoreError
from cowbench.schema import Row

APPLICATION_ID = 0x636F7762  # "cowb", so that `file` and we can tell a store from any other SQLite file
_WAIT_S = 5.0


def _declared(column: schema.Column) -> str:
    return f"{column.name} {'INTEGER' if column.integer else 'TEXT'}"


_ROWS = ", ".join(map(_declared, schema.COLUMNS))
_TABLES = f"""
create table if not exists rows (key TEXT primary key, {_ROWS}, parameters TEXT not null) strict;
create table if not exists grid (policy TEXT, workload TEXT, seed INTEGER, key TEXT not null,
                                 primary key (policy, workload, seed)) strict;
create table if not exists study_cells (study TEXT, policy TEXT, workload TEXT, seed INTEGER, key TEXT not null,
                                        primary key (study, policy, workload, seed)) strict;
create table if not exists studies (name TEXT primary key, text TEXT not null) strict;
create table if not exists searches (key TEXT primary key, piece TEXT not null, text TEXT not null) strict;
create table if not exists runs (id INTEGER primary key, started TEXT not null, provenance TEXT not null) strict;
create table if not exists cells (key TEXT primary key, run_id INTEGER not null, worker INTEGER not null,
                                  started TEXT not null, wall_s REAL not null) strict;
{checks.TABLE};
"""


@dataclass(frozen=True)
class Result:
    """A finished cell: its key and row; for the log its worker's process id, start (ISO 8601) and wall time in s."""

    key: str
    row: Row
    worker: int
    started: str
    wall_s: float


class Store:
    """An open store; use as a context manager. Every failure is a StoreError of one line."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open a store, and create it unless `read_only`."""
        self.path = path
        with self._errors():
            self._db = _connect(path, read_only)
            try:
                self._prepare(read_only)
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def begin_run(self, started: str, provenance: dict[str, Any]) -> int:
        """Record a run and return its number."""
        with self._errors(), self._db:
            cursor = self._db.execute(
                "insert into runs (started, provenance) values (?, ?)", (started, _json(provenance))
            )
        return int(cursor.lastrowid or 0)

    def point(self, cells: Iterable[tuple[str, str, int, str]]) -> None:
        """Make (policy, workload, seed) stand for the row with this key from now on."""
        with self._errors(), self._db:
            self._db.executemany("insert or replace into grid values (?, ?, ?, ?)", cells)

    def add_study(self, name: str, text: str, cells: Iterable[tuple[str, str, int, str]]) -> None:
        """Keep the text of a study, and let its own grid be these cells and no others, but for those of kernels."""
        with self._errors(), self._db:
            self._db.execute("insert or replace into studies values (?, ?)", (name, text))
            self._db.execute("delete from study_cells where study = ? and policy not like 'kernel:%'", (name,))
        self.add_to_study(name, cells)

    def add_to_study(self, name: str, cells: Iterable[tuple[str, str, int, str]]) -> None:
        """Add cells to the own grid of a study."""
        with self._errors(), self._db:
            marked = ((name, *cell) for cell in cells)
            self._db.executemany("insert or replace into study_cells values (?, ?, ?, ?, ?)", marked)

    def studies(self) -> dict[str, str]:
        """Return the text of every study that was run, by name."""
        with self._errors():
            known = self._has("studies")
            return dict(self._db.execute("select name, text from studies order by name")) if known else {}

    def add_search(self, key: str, piece: str, text: str) -> None:
        """Write a piece of a search; pieces of the same name that other code found are forgotten."""
        with self._errors(), self._db:
            self._db.execute("delete from searches where piece = ?", (piece,))
            self._db.execute("insert into searches values (?, ?, ?)", (key, piece, text))

    def searches(self) -> dict[str, tuple[str, str]]:
        """Return all pieces of searches: name -> key and text."""
        with self._errors():
            if not self._has("searches"):
                return {}
            found = self._db.execute("select piece, key, text from searches order by piece").fetchall()
        return {piece: (key, text) for piece, key, text in found}

    def statuses(self) -> dict[str, str]:
        """Return the status of every finished cell by key."""
        with self._errors():
            return dict(self._db.execute("select key, status from rows"))

    def add(self, results: Sequence[Result], run_id: int) -> None:
        """Write finished cells, all or none."""
        fixed = [column.name for column in schema.COLUMNS]
        marks = ", ".join("?" * (len(fixed) + 2))
        rows = [(r.key, *(r.row[name] for name in fixed), _json(_parameters(r.row))) for r in results]
        log = [(r.key, run_id, r.worker, r.started, r.wall_s) for r in results]
        with self._errors(), self._db:
            names = ", ".join(("key", *fixed, "parameters"))
            self._db.executemany(f"insert or replace into rows ({names}) values ({marks})", rows)
            self._db.executemany("insert or replace into cells values (?, ?, ?, ?, ?)", log)

    def rows(self, study: str | None = None) -> list[Row]:
        """Return the rows of the grid, or of a study's own, ordered by policy, workload and seed."""
        grid = "grid" if study is None else "(select * from study_cells where study = ?) as grid"
        query = f"""select {{}}, parameters from {grid} join rows using (key)
                    order by grid.policy, grid.workload, grid.seed"""
        with self._errors():
            there = self._columns()
            fixed = ", ".join(f"rows.{c.name}" if c.name in there else "null" for c in schema.COLUMNS)
            found = self._db.execute(query.format(fixed), () if study is None else (study,)).fetchall()
        names = [column.name for column in schema.COLUMNS]
        return [dict(zip(names, row[:-1], strict=True)) | json.loads(row[-1]) for row in found]

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs that the rows of the grid come from: number, start, cells, provenance."""
        query = """select runs.id, runs.started, count(*), runs.provenance
                   from grid join cells using (key) join runs on runs.id = cells.run_id
                   group by runs.id order by runs.id"""
        with self._errors():
            found = self._db.execute(query).fetchall()
        return [{"run": run, "started": at, "cells": n, **json.loads(text)} for run, at, n, text in found]

    def add_check(self, check: Check) -> None:
        """Write the outcome of a check of the model against a kernel."""
        marks = ", ".join("?" * len(check.values()))
        with self._errors(), self._db:
            self._db.execute(f"insert into checks ({checks.COLUMNS}) values ({marks})", check.values())

    def checks(self) -> list[Check]:
        """Return all checks of the model against kernels, oldest first."""
        with self._errors():
            if not self._has("checks"):
                return []
            found = self._db.execute(f"select {checks.COLUMNS} from checks order by id").fetchall()
        return [Check.from_values(values) for values in found]

    def _prepare(self, read_only: bool) -> None:
        ours = self._pragma("application_id") == APPLICATION_ID
        if not ours and (read_only or self._db.execute("select count(*) from sqlite_master").fetchone()[0]):
            raise StoreError(f"{self.path}: not a cowbench store; give another file")
        version = self._pragma("user_version")
        if ours and not 1 <= version <= schema.VERSION:
            remedy = "update cowbench" if version > schema.VERSION else "give a new file and run again"
            raise StoreError(f"{self.path}: store of schema {version}, this cowbench has {schema.VERSION}; {remedy}")
        if read_only:
            return
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        if not ours:
            self._db.executescript(
                f"begin immediate; {_TABLES}; pragma application_id = {APPLICATION_ID};"
                f"pragma user_version = {schema.VERSION}; commit;"
            )
        elif version < schema.VERSION:
            self._upgrade()

    def _upgrade(self) -> None:
        """Give an older store the tables and columns it lacks; its rows have nothing there."""
        there = self._columns()
        missing = [column for column in schema.COLUMNS if column.name not in there]
        added = "".join(f"alter table rows add column {_declared(column)};" for column in missing)
        self._db.executescript(f"begin immediate; {_TABLES}; {added} pragma user_version = {schema.VERSION}; commit;")

    def _columns(self) -> set[str]:
        return {row[1] for row in self._db.execute("pragma table_info(rows)")}

    def _has(self, table: str) -> bool:
        return bool(self._db.execute("select count(*) from sqlite_master where name = ?", (table,)).fetchone()[0])

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"pragma {name}").fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {_explain(error)}") from None


def _connect(path: Path, read_only: bool) -> sqlite3.Connection:
    if path.is_dir():
        raise StoreError(f"{path}: a folder, not a store; give a file")
    if not read_only:
        return sqlite3.connect(path, timeout=_WAIT_S)
    if not path.is_file():
        raise StoreError(f"{path}: no such store; run 'cowbench run --store {path}' first")
    address = f"{path.resolve().as_uri()}?mode=ro"
    db = sqlite3.connect(address, timeout=_WAIT_S, uri=True)
    try:
        db.execute("select count(*) from sqlite_master")
    except sqlite3.OperationalError as error:
        db.close()
        if error.sqlite_errorname not in ("SQLITE_CANTOPEN", "SQLITE_READONLY_DIRECTORY"):
            raise
        # A WAL store in a folder that cannot be written, and that nobody has open: it cannot change.
        db = sqlite3.connect(f"{address}&immutable=1", timeout=_WAIT_S, uri=True)
    return db


def _explain(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    for start, words in _WORDS.items():
        if name.startswith(start):
            return words
    return f"SQLite says: {error}; give another file"


_WORDS = {
    "SQLITE_NOTADB": "not a cowbench store; give another file",
    "SQLITE_CORRUPT": "the store is damaged; give a new file and run again",
    "SQLITE_BUSY": "locked by another process; wait until it is done, or give another file",
    "SQLITE_LOCKED": "locked by another process; wait until it is done, or give another file",
    "SQLITE_READONLY": "cannot be written; change its permissions or give another file",
    "SQLITE_CANTOPEN": "cannot be opened; make sure that its folder exists and may be written",
    "SQLITE_PERM": "cannot be opened; change its permissions or give another file",
    "SQLITE_FULL": "the disk is full; free some space and run again, finished cells are kept",
    "SQLITE_IOERR": "the disk fails to read or write; free some space or give a file on another disk",
}


def _parameters(row: Row) -> Row:
    return {name: value for name, value in row.items() if name.startswith(("policy.", "workload."))}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)
