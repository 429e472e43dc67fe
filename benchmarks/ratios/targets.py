"""The targets, and how a row of the table looks."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

import numpy as np

from benchmarks.ratios.setting import Reading, Sizes

LAYOUT = "{:>2}  {:<52} {:<16} {:>9} {:>10}  {:>17} {:>17}  {}"


@dataclass(frozen=True)
class Target:
    """A ratio with its bar and what would be splendid. size: names of sizes. at_least: more is better."""

    what: str
    size: str
    bar: float
    stretch: float
    at_least: bool
    unit: str = ""


TARGETS = {
    1: Target("kernel fork / model fork (child that writes)", "middle", 60, 150, True),
    2: Target("kernel fork / model fork (child that does nothing)", "middle", 1000, 20000, True),
    3: Target("kernel exit / model exit", "middle", 100, 250, True),
    4: Target("model fork / memcpy of 8 B a page", "large", 1.3, 0.9, False),
    5: Target("model fork, aged / fresh", "middle,large", 1.9, 1.4, False),
    6: Target("copies, 10 % random, fresh: model / C", "middle", 1.9, 1.3, False),
    7: Target("copies, 10 % random, aged: model / C", "middle", 0.8, 0.45, False),
    8: Target("copies on a range, fresh: model / C", "middle", 1.3, 0.8, False),
    9: Target("reuse on a range, fresh: model / C", "middle", 2.2, 1.4, False),
    10: Target("mixed: C / model", "middle", 1.0, 1.3, True),
    11: Target("mixed: C / model", "large", 1.2, 1.6, True),
    12: Target("mixed: first-draft numpy / model", "middle", 6, 10, True),
    13: Target("mixed, a page: scalar twin (smaller) / model", "twin,middle", 55, 85, True),
    14: Target("model fork, a page: huge / large", "huge,large", 1.3, 1.0, False),
    15: Target("peak memory a page, one child, 1 % written", "large", 24, 18, False, " B"),
    16: Target("15-page copy batches: model / scalar twin", "small", 2.5, 1, False),
    17: Target("mixed in two processes: speed kept against solo", "middle", 85, 95, True, " %"),
}


def header(sizes: Sizes) -> str:
    """Return what stands above the rows."""
    where = (
        f"{platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}, numpy {np.__version__}"
    )
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"
    how = f"{load}; {sizes.rounds} interleaved rounds; 'ok' goes by the ratio of minima"
    titles = LAYOUT.format("#", "what", "pages", "bar", "stretch", "of minima", "of medians", "")
    warning = "QUICK: small sizes, only to see that it runs\n" if sizes.mark else ""
    return f"{warning}{where}; {how}\n{titles}"


def row(target_number: int, sizes: Sizes, reading: Reading) -> str:
    """Return one row of the table."""
    target = TARGETS[target_number]
    sign = ">=" if target.at_least else "<="
    goals = [f"{sign} {goal:g}{target.unit}" for goal in (target.bar, target.stretch)]
    if isinstance(reading, str):
        cells = [reading, reading, "-"]
    else:
        minima = [ratio.minimum for ratio in reading]
        cells = [_numbers(minima, target.unit), _numbers([ratio.median for ratio in reading], target.unit)]
        cells.append(_verdict(target, min(minima) if target.at_least else max(minima)))
    return LAYOUT.format(target_number, target.what, sizes.text(target.size), *goals, *cells)


def _numbers(values: list[float], unit: str) -> str:
    return ", ".join(f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in values) + unit


def _verdict(target: Target, worst: float) -> str:
    def reaches(goal: float) -> bool:
        return worst >= goal if target.at_least else worst <= goal

    return "ok, stretch" if reaches(target.stretch) else "ok" if reaches(target.bar) else "miss"
