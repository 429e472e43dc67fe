"""Two stores held against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cowbench.errors import ParameterError
from cowbench.frame import to_frame
from cowbench.report.results import KERNEL
from cowbench.schema import Row
from cowbench.statistics import HEADLINE, Family, Method, compare_stores
from cowbench.statistics.growth import looks_of
from cowbench.store import Store

METRICS = (*HEADLINE, "leaks", "lost_pins", "lost_gets", "torn_snapshots")
"""What two stores are compared on: cost, and every kind of loss."""


def held_against(before: Path, after: Path, metrics: Sequence[str] = (), margin: float | None = None) -> Family:
    """Return the comparison of all cells of `after` with those of `before`.

    If each store has one real kernel, those two are held against each other, whatever their releases. Raises
    CowbenchError.
    """
    (old, looks), (new, more) = _read(before), _read(after)
    if len(_kernels(old)) == len(_kernels(new)) == 1:
        old, new = _nameless(old), _nameless(new)
    names = (str(before), str(after)) if before.name == after.name else (before.name, after.name)
    method = Method(margin=margin, looks=tuple(sorted({*looks, *more})))
    return compare_stores(to_frame(old), to_frame(new), tuple(metrics) or METRICS, names=names, method=method)


def _read(path: Path) -> tuple[list[Row], tuple[int, ...]]:
    with Store(path, read_only=True) as store:
        rows, runs = store.rows(), store.runs()
    if not rows:
        raise ParameterError(f"{path} holds no rows; run 'cowbench run --store {path}' first")
    return rows, looks_of(runs)


def _kernels(rows: Sequence[Row]) -> set[str]:
    return {row["policy"] for row in rows if row["policy"].startswith(KERNEL)}


def _nameless(rows: Sequence[Row]) -> list[Row]:
    """Call a kernel the same whatever its release."""
    return [row | {"policy": "kernel"} if row["policy"].startswith(KERNEL) else row for row in rows]
