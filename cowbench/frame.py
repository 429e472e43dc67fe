"""Results as a pandas DataFrame with proper dtypes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cowbench import schema
from cowbench.schema import Row
from cowbench.store import Store


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Return the rows of a result store, one a trial, ordered by policy, workload and seed.

    Counts and times are Int64, names are categories, parameters stand in `policy.<name>` and `workload.<name>`.
    Raises StoreError.
    """
    with Store(Path(path), read_only=True) as store:
        return to_frame(store.rows())


def to_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as a DataFrame: the columns of the schema in their order, then the parameters."""
    extra = sorted({name for row in rows for name in row} - set(schema.BY_NAME))
    columns: dict[str, Any] = {column.name: _fixed(column, rows) for column in schema.COLUMNS}
    columns |= {name: _parameter([row.get(name) for row in rows]) for name in extra}
    return pd.DataFrame(columns)


def _fixed(column: schema.Column, rows: Sequence[Row]) -> pd.Series[Any]:
    values = [row[column.name] for row in rows]
    if column.name in schema.FLAGS:
        return pd.Series([bool(value) for value in values], dtype="boolean")
    if column.integer:
        return pd.Series(values, dtype="Int64")
    return pd.Series(values, dtype="string" if column.name == "error" else "category")


def _parameter(values: list[Any]) -> pd.Series[Any]:
    """Choose the dtype that holds every value; None stands where a plug-in has no such parameter."""
    kinds = {type(value) for value in values if value is not None}
    dtypes = ((bool, "boolean"), (int, "Int64"), (float, "Float64"))
    for kind, dtype in dtypes:
        if kinds == {kind} or (kind is float and kinds == {int, float}):
            return pd.Series(values, dtype=dtype)
    return pd.Series([None if value is None else str(value) for value in values], dtype="string")
