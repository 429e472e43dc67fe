"""Stores that a report must survive: of nothing, of one, of failures, of many, and of names from anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cowbench import costs
from cowbench.ledger import CAUSES
from cowbench.report.results import Results
from cowbench.schema import Row
from tests.conftest import make_row

PROFILE = costs.read_profile()
RUN = {
    "run": 1,
    "started": "2026-01-01T00:00:00+00:00",
    "cells": 4,
    "command": "cowbench run --store 'my results.db'",
    "engine": "e1",
    "profile": PROFILE.to_json(),
}
EVIL = "<script>alert(1)</script>"
NAMES = (
    "книга",
    "σελίδα",
    "策略",
    "سياسة",
    "ページ",
    "naïve_copy",
    "a" * 60,
    "$x^2$",
    'quote"&amp;',
    "#let x = 1",
    EVIL,
)
"""Cyrillic, Greek, Chinese, Arabic, Japanese, accents, no place to break, and what TeX, HTML and Typst would act on."""


def trial(policy: str, workload: str, seed: int, **values: object) -> Row:
    """Return a row whose counts and fork time hang together: draws of its own, the same for the same names."""
    rng = np.random.default_rng([*policy.encode(), 0, *workload.encode(), 0, seed])
    causes = {f"false_positive_cause_{cause}": int(rng.integers(0, 9)) for cause in CAUSES[:: rng.integers(2, 5)]}
    counts = {"false_positive_copies": sum(causes.values()), "copies": sum(causes.values()) + int(rng.integers(0, 999))}
    forks = {"forks": 1, "forks_ptes": 1000, "forks_early_copies": int(rng.integers(0, 99)), "forks_allocations": 99}
    made = make_row(policy, workload, seed) | causes | counts | forks | values
    return made | {"fork_ns_mean": costs.mean_fork_ns(made, PROFILE)}


def failed(policy: str, workload: str = "w1", seed: int = 0) -> Row:
    """Return the row of a trial that failed."""
    made = make_row(policy, workload, seed, status="failed", error=f"policy {policy}.py:3: it broke")
    kept = ("seed", "sees_truth", "control")
    return {name: None if value == 0 and name not in kept else value for name, value in made.items()}


def grid(policies: Sequence[str], workloads: Sequence[str] = ("w1", "w2"), seeds: int = 3) -> Iterator[Row]:
    """Yield a row for each cell."""
    for policy in policies:
        for workload in workloads:
            yield from (trial(policy, workload, seed) for seed in range(seeds))


CASES: dict[str, list[Row]] = {
    "empty": [],
    "one policy": [*grid(["mapcount"])],
    "one seed": [*grid(["mapcount", "page_count"], seeds=1)],
    "all failed": [failed(policy, seed=seed) for policy in ("a", "b") for seed in range(2)],
    "40 policies": [*grid([f"policy_number_{n}" for n in range(40)], [f"load_{n}" for n in range(3)], seeds=2)],
    "names": [*grid(NAMES, (*NAMES[2:5], NAMES[6], EVIL), seeds=2)],
}
"""Rows of each case, by its name."""


def results(rows: Sequence[Row]) -> Results:
    """Return rows as what sections are drawn from."""
    return Results(rows, [RUN] if rows else [])
