"""What the expressions of a study may ask of the rows of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import SeedSequence
from scipy import stats

from cowbench.errors import StudyError
from cowbench.parameters import nearest
from cowbench.schema import METRICS, Row


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; formats as `1.23 (1.1 to 1.4)` with the given number format."""

    value: float
    low: float
    high: float

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def __format__(self, spec: str) -> str:
        if self.low == self.value == self.high:
            return f"{self.value:{spec}}"
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


class Rows:
    """Rows of one experiment, or some of them."""

    def __init__(self, rows: Sequence[Row], where: str) -> None:
        """`where` names the experiment in errors."""
        self.rows, self._where = list(rows), where

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, **wanted: Any) -> Rows:
        """Keep rows with these values: of a column (policy, workload_name, seed, ...) or of a parameter.

        A list keeps several values, a function those for which it is true.
        """
        kept = self.rows
        for name, value in wanted.items():
            test = _test(value)
            kept = [row for row in kept if test(self.of(row, name))]
        return Rows(kept, self._where)

    def of(self, row: Row, name: str) -> Any:
        """Return a value of a row: a column, or a parameter of its workload or policy (None: it has no such)."""
        for key in (name, f"workload.{name}", f"policy.{name}"):
            if key in row:
                return row[key]
        if any(key in other for other in self.rows for key in (f"workload.{name}", f"policy.{name}")):
            return None
        names = {key.rpartition(".")[2] for row in self.rows for key in row}
        raise StudyError(f"{self._where}: rows have no '{name}': {nearest(name, names)}")

    def values(self, name: str) -> list[Any]:
        """Return a column of the rows, in order; counts and times of a trial that failed are an error."""
        values = [self.of(row, name) for row in self.rows]
        if name in METRICS and None in values:
            row = self.rows[values.index(None)]
            why = row["error"] or f"{name} does not apply to it"
            raise StudyError(f"{self._where}: {row['policy']} on {row['workload']}, seed {row['seed']}: {why}")
        return values

    def axis(self, name: str) -> list[Any]:
        """Return the different values of a column or parameter, sorted."""
        return sorted({value for value in self.values(name) if value is not None})

    def sum(self, metric: str) -> int:
        """Return the sum of a metric over the rows."""
        return int(sum(self._some(metric)))

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the rows."""
        return float(np.mean(self._some(metric)))

    def max(self, metric: str) -> int:
        """Return the largest value of a metric."""
        return int(max(self._some(metric)))

    def min(self, metric: str) -> int:
        """Return the smallest value of a metric."""
        return int(min(self._some(metric)))

    def share(self, metric: str, level: float = 0.95) -> Interval:
        """Return the share of the rows in which a metric is above 0, with Wilson's interval."""
        values = self._some(metric)
        above = int(np.count_nonzero(values))
        found = stats.binomtest(above, len(values)).proportion_ci(level, "wilson")
        return Interval(above / len(values), float(found.low), float(found.high))

    def rate(self, metric: str, per: str) -> Interval:
        """Return metric over `per` as a ratio of sums, with a bootstrap interval over the rows (BCa, 9,999 draws)."""
        above, below = np.array(self._some(metric), float), np.array(self._some(per), float)
        if not below.sum():
            raise StudyError(f"{self._where}: the sum of {per} is 0, so there is no rate per {per}")
        ratio = float(above.sum() / below.sum())
        each = above / np.where(below, below, 1)
        if len(above) < 2 or np.ptp(each) == 0:
            return Interval(ratio, ratio, ratio)
        found = stats.bootstrap(
            (above, below),
            lambda a, b, axis: a.sum(axis) / b.sum(axis),
            paired=True,
            vectorized=True,
            rng=np.random.default_rng(SeedSequence(0)),
        ).confidence_interval
        return Interval(ratio, float(found.low), float(found.high))

    def least(self, name: str, test: str | Callable[[Rows], bool]) -> Any:
        """Return the smallest value of a parameter at which a metric is above 0 (or a test holds); None if nowhere."""
        holds = test if callable(test) else lambda rows: rows.sum(test) > 0
        return next((value for value in self.axis(name) if holds(self.only(**{name: value}))), None)

    def by(self, name: str, metric: str) -> dict[Any, float]:
        """Return the mean of a metric at each value of a column or parameter."""
        return {value: self.only(**{name: value}).mean(metric) for value in self.axis(name)}

    def _some(self, metric: str) -> list[Any]:
        if not self.rows:
            raise StudyError(f"{self._where}: no row is left to take {metric} from; compare the values with the axes")
        return self.values(metric)


def _test(value: Any) -> Callable[[Any], bool]:
    if callable(value):
        return value
    if isinstance(value, list | tuple | set | range):
        return lambda other: other in value
    return lambda other: other == value
