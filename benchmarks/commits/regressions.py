"""Regressions of exact counters on the published page.

asv looks for steps in noisy series, and takes a rise below about a thousandth for noise however exact the numbers are.
So its list of regressions is made anew for counters, by asv's own rule (a level above the best one before, and not gone
since) but from levels that are exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, product
from pathlib import Path
from typing import Any

EXACT = "bench_counters."

Jump = tuple[int | None, int, float, float]
"""Revision before (None if it is the one just before), revision after, value before, best value since."""


def complete(page: Path) -> int:
    """Put every regression of exact counters into regressions.json of a published page; return how many there are."""
    index = json.loads((page / "index.json").read_text(encoding="utf-8"))
    file = page / "regressions.json"
    others = [one for one in json.loads(file.read_text())["regressions"] if not one[0].startswith(EXACT)]
    exact = [
        [f"{name}({', '.join(key)})", str(graph.relative_to(page)), {}, number, series[-1][1], best(series), jumps]
        for name, benchmark in sorted(index["benchmarks"].items())
        if name.startswith(EXACT)
        for graph in sorted(page.glob(f"graphs/arch-*/**/{name}.json"))
        for number, (key, series) in enumerate(_series(benchmark, graph))
        if series and (jumps := rises(series))
    ]
    file.write_text(json.dumps({"regressions": exact + others}), encoding="utf-8")
    return len(exact)


def _series(benchmark: Mapping[str, Any], graph: Path) -> Iterator[tuple[tuple[str, ...], list[tuple[int, float]]]]:
    """Yield for each combination of parameters what was counted, by revision."""
    points = json.loads(graph.read_text(encoding="utf-8"))
    for number, key in enumerate(product(*benchmark["params"])):
        yield key, [(revision, values[number]) for revision, values in points if values[number] is not None]


def best(series: Sequence[tuple[int, float]]) -> float:
    """Return the least value there was."""
    return min(value for _, value in series)


def rises(series: Sequence[tuple[int, float]]) -> list[Jump]:
    """Return the rises that the newest value has not undone, oldest first."""
    levels = [list(points) for _, points in groupby(series, key=lambda point: point[1])]
    found: list[Jump] = []
    since = levels[-1][0][1]
    for before, after in zip(levels[-2::-1], levels[:0:-1], strict=True):
        since = min(since, after[0][1])
        last, first = before[-1][0], after[0][0]
        if before[0][1] < since:
            found.append((None if last + 1 == first else last, first, before[0][1], since))
    return found[::-1]
