"""A history as a tidy pandas DataFrame."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from cowbench.history import files
from cowbench.history.steps import in_order, metric


def load_history(path: str | os.PathLike[str] = "benchmarks/history") -> pd.DataFrame:
    """Return the numbers of asv results, one a row, in the order of commits.

    Columns: commit, date (UTC, of the author), machine, python, benchmark, metric, unit; one for each parameter of a
    benchmark, such as policy and workload, <NA> where it has none of that name; value (Float64, <NA> where a cell did
    not apply or failed; times in seconds, memory in bytes). Raises HistoryError.
    """
    folder = Path(path)
    rows = []
    for one in in_order(files.read(folder), folder):
        where = {"commit": one.commit, "date": one.date, "machine": one.machine, "python": one.python}
        for benchmark, cells in one.cells.items():
            what = {"benchmark": benchmark.name, "metric": metric(benchmark), "unit": benchmark.unit}
            for key, value in cells.items():
                rows.append(where | what | dict(zip(benchmark.param_names, key, strict=True)) | {"value": value})
    return _typed(pd.DataFrame(rows, columns=_columns(rows)))


def _columns(rows: list[dict[str, object]]) -> list[str]:
    fixed = ["commit", "date", "machine", "python", "benchmark", "metric", "unit"]
    return [*fixed, *sorted({name for row in rows for name in row} - {*fixed, "value"}), "value"]


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    names = [name for name in frame.columns if name not in ("date", "value")]
    frame = frame.astype(dict.fromkeys(names, "category"))
    frame["date"] = pd.to_datetime(frame["date"], unit="ms", utc=True)
    frame["value"] = pd.to_numeric(frame["value"]).astype("Float64")
    return frame
