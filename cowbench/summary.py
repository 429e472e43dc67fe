"""Rows put together: one value for each policy on each workload."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cowbench.schema import Row


@dataclass(frozen=True)
class Cell:
    """A metric of one policy on one workload over all its seeds.

    values: one a seed that counted, in order of seeds; empty if the metric does not apply or nothing counted.
    status: "ok", or the worst that befell a seed.
    """

    values: tuple[int | Fraction, ...]
    status: str

    @property
    def mean(self) -> Fraction | None:
        """The mean over seeds, exact."""
        return Fraction(sum(self.values), len(self.values)) if self.values else None

    @property
    def text(self) -> str:
        """The cell as tables show it: the mean, with `*` where a seed ran out of frames, or why there is none."""
        if self.mean is None:
            return {"failed": "failed", "not_applicable": "n/a"}.get(self.status, "-")
        return number(self.mean) + ("*" if self.status == "out_of_frames" else "!" if self.status == "failed" else "")


MISSING = Cell((), "missing")
_WORSE = ("ok", "not_applicable", "out_of_frames", "failed")

Table = dict[tuple[str, str], Cell]
"""(policy, workload) -> cell."""


def table(rows: Iterable[Row], metric: str) -> Table:
    """Return a metric for each (policy, workload) that has rows."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["policy"], row["workload"]), []).append(row)
    return {pair: _cell(group, metric) for pair, group in groups.items()}


def compared(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that stand in sums and comparisons: all but points of curves of workloads with others."""
    every = list(rows)
    others = {row["workload_name"] for row in every if not row["curve"]}
    return [row for row in every if not row["curve"] or row["workload_name"] not in others]


def names(rows: Iterable[Row], column: str) -> list[str]:
    """Return the distinct names in a column, sorted."""
    return sorted({row[column] for row in rows})


def number(value: int | Fraction) -> str:
    """Write a count or mean with at most one decimal and commas between thousands."""
    rounded = round(Fraction(value), 1)
    return f"{int(rounded):,}" if rounded.denominator == 1 else f"{float(rounded):,.1f}"


def _cell(rows: Sequence[Row], metric: str) -> Cell:
    status = max((row["status"] for row in rows), key=_WORSE.index)
    return Cell(tuple(row[metric] for row in rows if row[metric] is not None), status)
