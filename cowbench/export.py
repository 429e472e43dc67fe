"""The result table as CSV and Parquet."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from cowbench import schema
from cowbench.errors import CowbenchError
from cowbench.parameters import spell
from cowbench.schema import Row


def columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns of some rows: those of the schema in their order, then the parameters."""
    return [*schema.BY_NAME, *sorted({name for row in rows for name in row} - set(schema.BY_NAME))]


def write_csv(rows: Sequence[Row], stream: IO[str]) -> None:
    """Write rows as CSV (comma, double quotes, LF); None is empty."""
    names = columns(rows)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([spell(value) if isinstance(value, bool) else value for value in map(row.get, names)])


def write_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write rows as Parquet. Raises CowbenchError without pyarrow."""
    from cowbench.frame import to_frame

    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise CowbenchError("Parquet needs pyarrow; pip install 'cowbench[parquet]', or use --csv") from None
    try:
        to_frame(rows).to_parquet(path, index=False)
    except OSError as error:
        raise CowbenchError(f"{path}: cannot be written ({error.strerror}); give another file") from None
