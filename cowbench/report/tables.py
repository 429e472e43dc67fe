"""Tables that several sections need, and tables as CSV."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Iterator, Sequence

from cowbench.report import model
from cowbench.report.model import Cell, Content, Line
from cowbench.summary import MISSING, Table


def matrix(name: str, caption: str, values: Table, policies: Sequence[str], workloads: Sequence[str]) -> model.Table:
    """Return a metric with a line a workload and a column a policy; what is above the line's median is shaded.

    Metrics differ by orders of magnitude, so the shade grows with the logarithm, from the median to the largest.
    """
    head: Line = ("workload", *(Cell(policy, group=policy) for policy in policies))
    rows = tuple(_line(values, policies, workload) for workload in workloads)
    return model.Table(name, caption, head, rows)


def _line(values: Table, policies: Sequence[str], workload: str) -> Line:
    cells = {policy: values.get((policy, workload), MISSING) for policy in policies}
    sizes = {policy: math.log1p(cell.mean or 0) for policy, cell in cells.items() if cell.values}
    usual = statistics.median(sizes.values()) if sizes else 0.0
    most = max(sizes.values(), default=0.0) - usual
    shares = {policy: max(0.0, size - usual) / most if most > 1e-9 else 0.0 for policy, size in sizes.items()}
    shown = (
        Cell(cell.text, None if cell.mean is None else float(cell.mean), shares.get(policy, 0.0), group=policy)
        for policy, cell in cells.items()
    )
    return (workload, *shown)


def numeric(table: model.Table) -> list[bool]:
    """Return for each column whether it holds numbers, and so stands at the right."""
    return [any(model.cell(row[column]).numeric for row in table.rows) for column in range(len(table.head))]


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
