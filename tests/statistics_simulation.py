"""How often intervals cover and families raise false alarms, by simulation: `python -m tests.statistics_simulation`.

Writes the tables of docs/statistics.md between their markers. Each entry has random numbers of its own, so that a test
can recompute any of them.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from cowbench.statistics import signflip
from cowbench.statistics.decide import decide
from cowbench.statistics.intervals import bca
from cowbench.statistics.method import BCA_PAIRS, Method
from cowbench.statistics.pairs import Pairs

Floats = NDArray[np.float64]
Shape = tuple[int, ...]
DOCS = Path(__file__).resolve().parents[1] / "docs" / "statistics.md"

SHAPES: dict[str, tuple[Callable[[Generator, Shape], Floats], float]] = {
    "normal": (lambda rng, shape: rng.standard_normal(shape), 0.0),
    "skewed": (lambda rng, shape: rng.standard_exponential(shape), 1.0),
    "heavily skewed": (lambda rng, shape: rng.lognormal(0, 1, shape), float(np.exp(0.5))),
    "discrete": (lambda rng, shape: rng.poisson(2, shape).astype(np.float64), 2.0),
    "tied": (lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.3), 0.0),
    "rare": (lambda rng, shape: np.where(rng.random(shape) < 0.1, rng.integers(1, 9, shape), 0.0), 0.45),
}
"""Shapes of differences, and their means. tied: 70 % zeros. rare: 90 % zeros, else 1 to 8."""

PAIRS = (6, 10, 14, 15, 16, 30, 64)
FLOORS = {
    "normal": (0.94, 0.90),
    "skewed": (0.89, 0.89),
    "heavily skewed": (0.82, 0.84),
    "discrete": (0.95, 0.91),
    "tied": (0.95, 0.80),
    "rare": (0.44, 0.72),
}
"""What coverage may not fall below: of the inverted sign-flip test, below 15 pairs, and of BCa."""

MEMBERS = 10
FAMILIES: dict[str, dict[str, int | bool]] = {
    "alike, 10 pairs": {"pairs": 10},
    "alike, 16 pairs": {"pairs": 16},
    "alike, 30 pairs": {"pairs": 30},
    "half differ, 16 pairs": {"pairs": 16, "real": 5},
    "equal means only, 16 pairs": {"pairs": 16, "centred": True},
}
ALARMS = 0.065
"""What the family-wise error may not exceed where policies are alike: alpha, and three errors of 2,000 runs.

Where only means are equal the sign-flip test promises nothing, and there is no bar.
"""
LOOKS = (16, 32, 64)

INTERVAL_RUNS = {True: 10_000, False: 2_000}
"""Samples, of sign-flip intervals and of BCa."""
FAMILY_RUNS = 2_000
LOOKS_RUNS = 2_000


def generator(*names: object) -> Generator:
    """Return random numbers that belong to one entry of a table."""
    return np.random.default_rng(SeedSequence(20, spawn_key=(zlib.crc32(" ".join(map(str, names)).encode()),)))


def coverage(shape: str, pairs: int) -> float:
    """Return how often the 95 % interval of that many pairs holds the mean that differences were drawn with.

    Samples whose differences are all alike have no interval; they are told to be exact and count as not covering
    unless they are right.
    """
    draw, mean = SHAPES[shape]
    runs = INTERVAL_RUNS[pairs < BCA_PAIRS]
    samples = draw(generator("coverage", shape, pairs), (runs, pairs))
    moving = np.ptp(samples, axis=1) > 0
    limits = np.stack([samples.min(axis=1), samples.max(axis=1)], axis=1)
    if pairs < BCA_PAIRS:
        found = [signflip.limits(row, 0.05, Method()) for row in samples[moving]]
        limits[moving] = np.array([ends or (-np.inf, np.inf) for ends in found])
    else:
        chosen = np.flatnonzero(moving)
        for block in np.array_split(chosen, max(1, len(chosen) * pairs // 20_000)):
            limits[block] = bca(samples[block], Method())
    return float(((limits[:, 0] <= mean) & (mean <= limits[:, 1])).mean())


def family_error(shape: str, pairs: int, *, real: int = 0, centred: bool = False, runs: int = FAMILY_RUNS) -> float:
    """Return how often a family has a false alarm: policies drawn alike, all held against one baseline.

    real: so many of the members do differ, by far; they are no alarm, but leave Holm's procedure to the others.
    centred: differences of mean 0 and of this shape instead, as if only the means of the policies were equal.
    """
    draw, mean = SHAPES[shape]
    rng = generator("family", shape, pairs, real, centred)
    alarms = 0
    for _ in range(runs):
        values = draw(rng, (MEMBERS + 1, pairs))
        if centred:
            values -= mean
            values[0] = 0
        values[1 : real + 1] += 1e3
        alarms += any(one.shown for one in decide(_family(values), Method(flips=1999))[real:])
    return alarms / runs


def looks_error(shape: str, looks: tuple[int, ...] = LOOKS, runs: int = LOOKS_RUNS) -> float:
    """Return how often a family that grows until it is settled has a false alarm at any look."""
    draw, _ = SHAPES[shape]
    rng = generator("looks", shape, looks)
    method = Method(flips=1999, looks=looks)
    families = (_family(draw(rng, (MEMBERS + 1, looks[-1]))) for _ in range(runs))
    return sum(any(one.shown for one in decide(family, method)) for family in families) / runs


def interval_table() -> str:
    """Return the coverage of every interval as a Markdown table."""
    head = ["differences", *(f"{n} pairs" for n in PAIRS), "floors"]
    rows = [
        [shape, *(f"{coverage(shape, n):.1%}" for n in PAIRS), " and ".join(f"{floor:.0%}" for floor in FLOORS[shape])]
        for shape in SHAPES
    ]
    return markdown(head, rows)


def family_table() -> str:
    """Return family-wise errors as a Markdown table."""
    head = ["values", *FAMILIES, f"alike, looks at {', '.join(map(str, LOOKS))} pairs"]
    rows = [
        [
            shape,
            *(f"{family_error(shape, **options):.1%}" for options in FAMILIES.values()),  # type: ignore[arg-type]
            f"{looks_error(shape):.1%}",
        ]
        for shape in SHAPES
    ]
    return markdown(head, rows)


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """Return a table."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def main() -> None:
    """Write the tables anew."""
    text = DOCS.read_text()
    for name, table in (("intervals", interval_table), ("families", family_table)):
        text = re.sub(f"(?<=<!-- {name} -->\n).*?(?=\n<!-- end -->)", table(), text, flags=re.DOTALL)
    DOCS.write_text(text)


def _family(values: Floats) -> list[Pairs]:
    baseline, *others = values
    seeds = tuple(range(values.shape[1]))
    return [Pairs(str(i), "baseline", "w", "copies", True, seeds, row, baseline) for i, row in enumerate(others)]


if __name__ == "__main__":
    main()
