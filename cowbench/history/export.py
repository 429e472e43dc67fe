"""A store's metrics as asv results: what asv shows over commits, and policies beside each other on one commit."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from cowbench import schema, summary
from cowbench.errors import HistoryError
from cowbench.history import files
from cowbench.history.files import Benchmark, Results
from cowbench.history.steps import PAIR
from cowbench.schema import Row

COSTS = [column for column in schema.METRICS.values() if column.better == "lower"]
"""What asv can show: it knows only "less is better"."""


def export(rows: Sequence[Row], runs: Sequence[Mapping[str, Any]], folder: Path, revision: str | None = None) -> Path:
    """Write the costs of a store's rows as asv results of one commit, and return the file.

    revision: the commit, as git knows it in the current folder; else the one that cowbench itself was run at. A number
    is the mean over seeds, NaN where a cell has none. What `folder` holds of other commits stays. Raises HistoryError.
    """
    if not rows:
        raise HistoryError("the store holds no rows, so there is nothing to export; run 'cowbench run' first")
    commit, date = _named(revision) if revision else _recorded(runs)
    python = ".".join(runs[-1]["python"].split(".")[:2])
    results = Results(commit, date, python=python, environment=f"cowbench-py{python}")
    for column in COSTS:
        benchmark = Benchmark(f"cowbench.track_{column.name}", column.unit, f"schema-{schema.VERSION}", PAIR)
        table = summary.table(rows, column.name)
        if any(cell.values for cell in table.values()):
            results.cells[benchmark] = {pair: _number(cell.mean) for pair, cell in table.items()}
    (file,) = files.write(folder, [results])
    files.write_benchmarks(folder, results)
    return file


def _number(mean: Fraction | None) -> float:
    if mean is None:
        return math.nan
    return mean.numerator if mean.denominator == 1 else float(mean)


def _named(revision: str) -> tuple[str, int]:
    """Return hash and date of a commit that the user names."""
    found = _dated(revision)
    if found is None:
        raise HistoryError(f"no commit '{revision}' in the git repository of this folder; see git log")
    return found


def _recorded(runs: Sequence[Mapping[str, Any]]) -> tuple[str, int]:
    """Return hash and date of the commit that all runs were at."""
    commits = {run.get("commit") for run in runs}
    if len(commits) > 1:
        raise HistoryError("the rows were run at several commits; give --commit, or run again into a new store")
    (commit,) = commits
    if commit is None:
        raise HistoryError(
            "the rows do not say at which commit they were run; name it with --commit, as in --commit HEAD"
        )
    if any(run.get("dirty") for run in runs):
        raise HistoryError(
            f"the rows were run with changes on top of {commit[:8]}; commit and run again, or give --commit"
        )
    return _dated(commit) or (commit, int(datetime.fromisoformat(runs[0]["started"]).timestamp()) * 1000)


def _dated(revision: str) -> tuple[str, int] | None:
    """Return a commit's hash, and the date of its author in ms since 1970; None if git knows of none."""
    words = ["git", "show", "--no-patch", "--format=%H %at", f"{revision}^{{commit}}", "--"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return None
    commit, _, seconds = done.stdout.strip().partition(" ")
    return (commit, int(seconds) * 1000) if done.returncode == 0 else None
