"""The costs of a kernel, measured: which samples are taken, and the profile that comes out of their fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from cowbench.costs import Cost, CostProfile, read_profile
from cowbench.errors import KernelError
from cowbench.linux.calibration import EARLY_COLUMN, SMALLEST, Calibration, Grid, HeldBack, Point, modelled
from cowbench.linux.regression import Fit, fit
from cowbench.linux.timing import Place, Task, Timer, reason

_PARTS = (0, 4, 2, 1)
"""Forks are timed with no page held, and with a quarter, half and all of them."""
_FAULTS = {
    "reuse": "reuse_fault",
    "copy": "copy_fault",
    "zero_fill": "zero_fill_fault",
    "read_zero": "read_zero_fault",
    "exit": "exit_per_pte",
}
_PINS = {"pin": "pin_per_page", "unpin": "unpin_per_page"}
_SWAP = {"page_out": "page_out_per_page", "swap_in": "swap_in_fault"}
_LINES = _FAULTS | _PINS | _SWAP
"""Kinds of samples whose time is a line over pages: the entry that its slope is."""
EARLY = ("early_copy", "allocation", "lock_drop")
"""What every early copy of a kernel is made of; only the sum can be told from outside."""


Report = Callable[[int, int], None]
"""Called with samples done and samples in all."""


def _silent(done: int, total: int) -> None:
    pass


def calibrate(timer: Timer, place: Place, grid: Grid, rng: Generator, report: Report = _silent) -> Calibration:
    """Measure the costs of a kernel.

    Raises KernelError where the kernel refuses a sample of the grid, or if the grid is too small to fit anything.
    """
    if len(grid.sizes) < 4 or grid.repeats < 1:
        raise KernelError(f"{grid.pages} pages are too few to fit a line; take {SMALLEST * 8} or more")
    refused = _probe(timer, grid)
    samples = _measure(timer, _plan(grid, refused), grid, rng, report)
    return _conclude(samples, place, grid, refused, rng)


def _probe(timer: Timer, grid: Grid) -> dict[str, str]:
    """Return the kinds that this kernel cannot do at all, and why; the large samples also touch the memory once."""
    kinds = [kind for kind in _LINES if kind not in _SWAP or grid.swap]
    small = [Task(kind, SMALLEST) for kind in kinds]
    refused = {t.kind: reason(ns) for t, ns in zip(small, timer(small), strict=True) if ns < 0}
    refused |= {kind: "pages are put out to swap in guests only" for kind in _SWAP if not grid.swap}
    large = [Task("fork", grid.pages, 0 if "pin" in refused else grid.pages)] * 2
    for task, ns in zip(large, timer(large), strict=True):
        if ns < 0:
            raise KernelError(f"{task}: {reason(ns)}; run as root, or with fewer --pages")
    return refused


def _plan(grid: Grid, refused: dict[str, str]) -> list[Task]:
    parts = [0] if "pin" in refused else list(_PARTS)
    forks = [Task("fork", n, n // part if part else 0) for n in [*grid.sizes, *grid.held_back] for part in parts]
    once = [Task("fork_once_pinned", n) for n in grid.sizes if "pin" not in refused]
    return forks + once + [Task(kind, n) for kind in _LINES if kind not in refused for n in grid.sizes]


def _measure(timer: Timer, plan: list[Task], grid: Grid, rng: Generator, report: Report) -> dict[Task, list[int]]:
    order = [plan[i] for i in rng.permutation(np.repeat(np.arange(len(plan)), grid.repeats))]
    samples: dict[Task, list[int]] = {task: [] for task in plan}
    for done, (task, ns) in enumerate(zip(order, timer(order), strict=True), start=1):
        if ns < 0:
            raise KernelError(f"{task}: {reason(ns)}; run as root, or with fewer --pages")
        samples[task].append(ns)
        report(done, len(order))
    return samples


def _conclude(
    samples: dict[Task, list[int]], place: Place, grid: Grid, refused: dict[str, str], rng: Generator
) -> Calibration:
    fits, columns = _fits(samples, grid, rng)
    found = {entry: column for entry, column in columns.items() if fits[entry].coefficients[column] > 0}
    costs = {entry: _cost(place, fits[entry], column) for entry, column in found.items()}
    if "early_copy" in costs:
        costs |= split(costs["early_copy"], read_profile())
    name = f"kernel:{place.release}" + (", emulated" if place.emulated else "")
    profile = CostProfile(name, **read_profile().costs | costs)
    return Calibration(
        place,
        grid,
        profile,
        fits,
        {entry: fits[entry].flags(column) for entry, column in found.items()},
        _unmeasured(refused) | dict.fromkeys(columns.keys() - found.keys(), "not to be told from the noise"),
        _held_back(samples, profile, grid),
        [Point(t.pages, t.pinned, _median(samples, t), t.kind != "fork") for t in samples if t.kind.startswith("fork")],
    )


def _fits(samples: dict[Task, list[int]], grid: Grid, rng: Generator) -> tuple[dict[str, Fit], dict[str, int]]:
    """Return the fit behind each measured entry, and which of its coefficients the entry is."""
    forks = [task for task in samples if task.kind == "fork" and task.pages in grid.sizes]
    pinned = any(task.pinned for task in forks)
    factors = [(1, task.pages, task.pinned) if pinned else (1, task.pages) for task in forks]
    columns = {"fork_base": 0, "fork_per_pte": 1} | ({"early_copy": EARLY_COLUMN} if pinned else {})
    one = fit(factors, [samples[task] for task in forks], [task.pages for task in forks], rng)
    fits = dict.fromkeys(columns, one)
    for kind, entry in _LINES.items():
        tasks = [task for task in samples if task.kind == kind]
        if tasks:
            pages = [task.pages for task in tasks]
            fits[entry] = fit([(1, n) for n in pages], [samples[task] for task in tasks], pages, rng)
            columns[entry] = 1
    return fits, columns


def _cost(place: Place, found: Fit, column: int) -> Cost:
    ns, low, high = (round(float(values[column]), 2) for values in (found.coefficients, found.low, found.high))
    return Cost(ns, f"measured on Linux {place.release}, {place.cpu}", (low, high))


def split(whole: Cost, published: CostProfile) -> dict[str, Cost]:
    """Share the cost of a whole early copy among its parts as the published profile has them."""
    total = sum(published.costs[entry].ns for entry in EARLY)
    return {entry: _share(whole, published.costs[entry].ns / total) for entry in EARLY}


def _share(whole: Cost, share: float) -> Cost:
    low, high = whole.interval or (whole.ns, whole.ns)
    words = f"assumed: {share:.0%} of a whole early copy of {whole.ns:,.0f} ns, {whole.source}"
    return Cost(round(whole.ns * share, 2), words, (round(low * share, 2), round(high * share, 2)))


def _unmeasured(refused: dict[str, str]) -> dict[str, str]:
    kept = {_LINES[kind]: why for kind, why in refused.items()}
    if "pin" in refused:
        kept |= dict.fromkeys(EARLY, refused["pin"])
    return kept | {"fork_per_swap_pte": "only with swap in use"}


def _held_back(samples: dict[Task, list[int]], profile: CostProfile, grid: Grid) -> list[HeldBack]:
    return [
        HeldBack(task.pages, task.pinned, _median(samples, task), modelled(profile, task.pages, task.pinned))
        for task in samples
        if task.kind == "fork" and task.pages in grid.held_back
    ]


def _median(samples: dict[Task, list[int]], task: Task) -> float:
    return float(np.median(samples[task]))
