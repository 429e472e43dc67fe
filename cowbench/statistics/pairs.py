"""From rows of trials to pairs: the same workload, seed and metric under a policy and under its baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cowbench import schema
from cowbench.errors import ParameterError
from cowbench.parameters import nearest
from cowbench.statistics.signflip import Floats


@dataclass(frozen=True)
class Pairs:
    """A metric of `policy` beside that of `against`, at the same seeds: equal seeds draw equal random numbers.

    subject, baseline: values, shape (pairs,), in order of `seeds`. sampled: the workload draws random numbers.
    missing: seeds that one side or both could not count to the end, and why in `why`.
    """

    policy: str
    against: str
    workload: str
    metric: str
    sampled: bool
    seeds: tuple[int, ...]
    subject: Floats
    baseline: Floats
    missing: int = 0
    why: str = ""

    def up_to(self, look: int) -> Pairs:
        """Return the pairs of the first `look` seeds."""
        kept = sum(seed < look for seed in self.seeds)
        return Pairs(
            self.policy,
            self.against,
            self.workload,
            self.metric,
            self.sampled,
            self.seeds[:kept],
            self.subject[:kept],
            self.baseline[:kept],
            self.missing,
            self.why,
        )

    @property
    def differences(self) -> Floats:
        """Subject less baseline, in the metric's unit."""
        return self.subject - self.baseline

    @property
    def log_ratios(self) -> Floats | None:
        """Logarithm of subject by baseline; None unless all values are positive."""
        if not len(self.seeds) or min(self.subject.min(), self.baseline.min()) <= 0:
            return None
        return np.log(self.subject / self.baseline)

    @property
    def effects(self) -> Floats:
        """What is tested: log-ratios of positive counts and times, else differences."""
        ratios = self.log_ratios
        return self.differences if ratios is None else ratios


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise ParameterError for a metric that does not exist or has no better side."""
    for metric in metrics:
        if metric not in schema.METRICS:
            raise ParameterError(f"no metric '{metric}': {nearest(metric, schema.METRICS)}")
        if schema.METRICS[metric].better == "none":
            raise ParameterError(f"metric '{metric}' has no better side; choose another from 'cowbench list metrics'")


def check_known(kind: str, name: str, known: Sequence[str]) -> None:
    """Raise ParameterError for a policy or workload that has no rows."""
    if name not in known:
        raise ParameterError(f"no rows of {kind} '{name}': {nearest(name, known)}")


@dataclass(frozen=True)
class Trials:
    """The rows of one policy on one workload, by seed: status, and the values of metrics (NaN where there is none)."""

    sampled: bool
    status: dict[int, str]
    values: dict[int, dict[str, float]]


NO_TRIALS = Trials(False, {}, {})


def trials(frame: pd.DataFrame, metrics: Sequence[str]) -> dict[tuple[str, str], Trials]:
    """Return the trials of each (policy, workload)."""
    found: dict[tuple[str, str], Trials] = {}
    names = frame[["policy", "workload", "sampling", "status"]].astype(str).to_numpy()
    numbers = frame[list(metrics)].to_numpy(np.float64, na_value=np.nan)
    for (policy, workload, sampling, status), seed, row in zip(names, frame["seed"], numbers, strict=True):
        cell = found.setdefault((policy, workload), Trials(sampling == "sampled", {}, {}))
        cell.status[int(seed)] = status
        cell.values[int(seed)] = dict(zip(metrics, row.tolist(), strict=True))
    return found


def pair_up(
    subject: Trials, baseline: Trials, metrics: Sequence[str], *, policy: str, against: str, workload: str
) -> list[Pairs]:
    """Return the pairs of each metric that applies; a policy held against its like has `against` as its name.

    A metric without a value on any trial that ran to the end (times of forks without forks) gives none.
    """
    seeds = sorted({*subject.status, *baseline.status})
    both = [seed for seed in seeds if subject.status.get(seed) == baseline.status.get(seed) == "ok"]
    why = _why({policy: subject, against: baseline}, seeds)
    made = []
    for metric in metrics:
        values = np.array([(subject.values[seed][metric], baseline.values[seed][metric]) for seed in both])
        values = values.reshape(-1, 2)
        there = ~np.isnan(values).any(axis=1)
        if not both or there.any():
            left, right = values[there].T
            numbers = tuple(seed for seed, counted in zip(both, there, strict=True) if counted)
            sampled = subject.sampled or baseline.sampled
            missing = len(seeds) - len(numbers)
            made.append(Pairs(policy, against, workload, metric, sampled, numbers, left, right, missing, why))
    return made


_WORDS = {
    "failed": "failed",
    "out_of_frames": "ran out of frames",
    "not_applicable": "cannot be staged",
    "missing": "was not run",
}


def _why(sides: dict[str, Trials], seeds: Sequence[int]) -> str:
    """Say which side lacks which seeds: "has_pinned failed on 3 of 16 seeds"."""
    found = []
    for name, side in sides.items():
        counts = Counter(side.status.get(seed, "missing") for seed in seeds)
        for status, words in _WORDS.items():
            if counts[status]:
                found.append(f"{name} {words} on {counts[status]} of {len(seeds)} seeds")
    return ", ".join(found)
