"""Growing a sample until comparisons are settled: at how many seeds it is looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cowbench.errors import ParameterError


def plan(first: int, most: int) -> tuple[int, ...]:
    """Return the looks of a run from `first` seeds on: doubled each time, and `most` at last."""
    if most <= first:
        raise ParameterError(f"--max-seeds {most}: give more than --seeds {first}")
    looks = [first]
    while looks[-1] * 2 < most:
        looks.append(looks[-1] * 2)
    return (*looks, most)


def looks_of(runs: Iterable[Mapping[str, Any]]) -> tuple[int, ...]:
    """Return the looks that the runs of a store were grown by; empty if their numbers of seeds were fixed."""
    return tuple(sorted({look for run in runs for look in run.get("looks", ())}))
