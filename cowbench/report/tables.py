"""Tables that several sections need, and tables as CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from cowbench.report import model
from cowbench.report.model import Cell, Content, Line
from cowbench.summary import MISSING, Table


def matrix(
    name: str, caption: str, values: Table, policies: Sequence[str], workloads: Sequence[str], *, log: bool = False
) -> model.Table:
    """Return a metric with a line a workload and a column a policy, shaded by its share of the line's largest.

    log: shade by the share of the logarithm, for metrics that differ by orders of magnitude.
    """
    head: Line = ("workload", *(Cell(policy, group=policy) for policy in policies))
    rows = tuple(_line(values, policies, workload, log) for workload in workloads)
    return model.Table(name, caption, head, rows)


def _line(values: Table, policies: Sequence[str], workload: str, log: bool) -> Line:
    cells = [values.get((policy, workload), MISSING) for policy in policies]
    sizes = [float(cell.mean or 0) for cell in cells]
    if log:
        sizes = [math.log1p(size) for size in sizes]
    largest = max(sizes, default=0.0) or 1.0
    shown = (
        Cell(cell.text, None if cell.mean is None else float(cell.mean), size / largest, group=policy)
        for policy, cell, size in zip(policies, cells, sizes, strict=True)
    )
    return (workload, *shown)


def to_csv(table: model.Table) -> str:
    """Write a table as CSV (comma, double quotes, LF): numbers exact, all else as its text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(model.plain(model.cell(cell).text) for cell in table.head)
    writer.writerows(map(_values, table.rows))
    return stream.getvalue()


def _values(row: Sequence[Content]) -> Iterator[int | float | str]:
    for content in row:
        cell = model.cell(content)
        exact = cell.value is not None
        yield _short(cell.value) if exact else model.plain(cell.text)  # type: ignore[arg-type]


def _short(value: int | float | str) -> int | float | str:
    """Write whole numbers as such: 12, not 12.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
