"""What needs processes of its own: memory at its peak, the largest machines, two at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from statistics import median

from benchmarks.ratios.forks import fork_and_exit
from benchmarks.ratios.measure import (
    Ratio,
    Samples,
    available_memory,
    cold_model,
    gather,
    model,
    peak_memory,
    ratio,
    run_mixed,
)
from benchmarks.ratios.programs import draw_mixed, one_in, populate
from benchmarks.ratios.setting import Outcome, Setting

REPEATS = 3
"""Mixed programmes in one go: long enough that two processes overlap, whenever each of them starts."""
BYTES_NEEDED = 32
"""A page, in memory available, to try the largest size."""


def huge(setting: Setting) -> Outcome:
    """Measure target 14; with too little memory at a quarter of the size, and say so."""
    sizes = setting.sizes
    power = sizes.huge if available_memory() >= BYTES_NEEDED << sizes.huge else sizes.huge - 2
    with _worker() as worker:
        samples = worker.submit(_fork_samples, 1 << sizes.large, 1 << power, sizes.rounds).result()
    note = f"fork of 2^{power} pages: {min(samples['huge: fork']):.3g} s"
    if power < sizes.huge:
        note += f"; 2^{sizes.huge} pages would need {BYTES_NEEDED << sizes.huge >> 30} GiB of available memory"
    return Outcome({14: [ratio(samples, "huge: fork", "large: fork", (1 << sizes.large) / (1 << power))]}, [note])


def memory(setting: Setting) -> Outcome:
    """Measure target 15."""
    with _worker() as worker:
        per_page = worker.submit(_peak_per_page, 1 << setting.sizes.large).result()
    return Outcome({15: [Ratio(per_page, per_page)]})


def parallel(setting: Setting) -> Outcome:
    """Measure target 17: each of two processes against itself alone, the worse of them."""
    pages = 1 << setting.sizes.middle
    alone: list[list[float]] = [[], []]
    together: list[list[float]] = [[], []]
    with _worker() as first, _worker() as second:
        workers = (first, second)
        for future in [worker.submit(_mixed_seconds, pages, 1) for worker in workers]:
            future.result()
        for _ in range(setting.sizes.rounds):
            for worker, seconds in zip(workers, alone, strict=True):
                seconds.append(worker.submit(_mixed_seconds, pages, REPEATS).result())
            futures = [worker.submit(_mixed_seconds, pages, REPEATS) for worker in workers]
            for future, seconds in zip(futures, together, strict=True):
                seconds.append(future.result())
    kept = [
        min(100 * summary(a) / summary(t) for a, t in zip(alone, together, strict=True)) for summary in (min, median)
    ]
    return Outcome({17: [Ratio(*kept)]})


def _worker() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def _fork_samples(large: int, huge: int, rounds: int) -> Samples:
    takers: dict[str, Callable[[], dict[str, float]]] = {}
    for name, pages in (("large", large), ("huge", huge)):
        machine = cold_model(pages + 64)
        takers[name] = partial(fork_and_exit, machine, populate(machine, pages), pages)
    return gather(rounds, takers)


def _peak_per_page(pages: int) -> float:
    """Return the bytes a page that a machine takes at most: populated, forked, 1 % written, all exited."""
    written = one_in(100, pages, 1)
    before = peak_memory()
    machine = cold_model(2 * pages)
    parent = machine.spawn()
    machine.write(parent, range(pages))
    child = machine.fork(parent)
    machine.write(parent, written)
    machine.exit(child)
    machine.exit(parent)
    return (peak_memory() - before) / pages


def _mixed_seconds(pages: int, repeats: int) -> float:
    draws = draw_mixed(pages)
    return sum(sum(run_mixed(model(2 * pages), pages, draws).seconds.values()) for _ in range(repeats))
