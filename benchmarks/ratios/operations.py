"""Single operations: fork, exit, copies and reuse, against the kernel, the C machine, memcpy and the scalar twin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import perf_counter, process_time

import numpy as np

from benchmarks.ratios.forks import faults, fork_and_exit, populate_aged, quiet_fork
from benchmarks.ratios.measure import POLICY, Samples, available_memory, counts, gather, model, ratio
from benchmarks.ratios.native import Kernel
from benchmarks.ratios.programs import Verbs, one_in, populate
from benchmarks.ratios.setting import NO_COMPILER, Outcome, Setting
from cowbench.machine import MachineConfig

Counts = dict[str, int]
SMALL_BATCH = 15
IN_A_ROW = 3
"""Forks of one kind before the next kind has its turn: the first of them finds its memory out of cache."""


def against_kernel(setting: Setting) -> Outcome:
    """Measure targets 1 to 3, in wall time: the kernel works in two processes."""
    if setting.compiler.path is None:
        return Outcome(dict.fromkeys((1, 2, 3), NO_COMPILER))
    pages = 1 << setting.sizes.middle
    size, touched = min(pages, _affordable_pages()), pages // 64
    machine = model(2 * pages)
    parent = populate(machine, pages)
    with setting.compiler.kernel(size) as kernel:
        kernel.fork()
        takers = {
            "kernel": partial(_kernel_seconds, kernel, touched),
            "model": partial(fork_and_exit, machine, parent, pages, perf_counter),
            "quiet child": partial(quiet_fork, machine, parent, pages, perf_counter),
        }
        samples = gather(setting.sizes.rounds, takers, IN_A_ROW)
    scale = pages / size
    readings = {
        1: [ratio(samples, "kernel: fork", "model: fork", scale)],
        2: [ratio(samples, "kernel: fork", "quiet child: fork", scale)],
        3: [ratio(samples, "kernel: exit", "model: exit", scale)],
    }
    per = {key: touched if key in ("kernel: copy", "kernel: reuse") else size for key in samples}
    note = f"kernel ({size} pages) and model, minimum wall time in ns a page: {_spell(samples, per)}"
    return Outcome(dict(readings), [note])


def against_c(setting: Setting) -> Outcome:
    """Measure targets 6 to 9, and hold the counts of both machines against each other."""
    pages, counted = 1 << setting.sizes.middle, {name: Counts() for name in ("model", "model aged", "C", "C aged")}
    takers: dict[str, Callable[[], dict[str, float]]] = {
        "model": partial(_model_faults, pages, counted["model"]),
        "model aged": partial(_model_faults, pages, counted["model aged"], aged=True),
    }
    if setting.compiler.path is not None:
        takers["C"] = partial(_c_faults, setting, pages, counted["C"])
        takers["C aged"] = partial(_c_faults, setting, pages, counted["C aged"], aged=True)
    samples = gather(setting.sizes.rounds, takers)
    outcome = Outcome()
    per = {key: len(one_in(10, pages, 1)) if "random" in key else pages for key in samples}
    outcome.notes.append(f"reuse and copies on {pages} pages, minimum in ns a page: {_spell(samples, per)}")
    if setting.compiler.path is None:
        outcome.readings = dict.fromkeys((6, 7, 8, 9), NO_COMPILER)
        return outcome
    outcome.readings = {
        6: [ratio(samples, "model: copy random", "C: copy random")],
        7: [ratio(samples, "model aged: copy random", "C aged: copy random")],
        8: [ratio(samples, "model: copy range", "C: copy range")],
        9: [ratio(samples, "model: reuse range", "C: reuse range")],
    }
    for state in ("", " aged"):
        outcome.compare(f"reuse and copies{state}", counted[f"model{state}"], counted[f"C{state}"])
    return outcome


def dense(setting: Setting) -> Outcome:
    """Measure targets 4 and 5: fork against memcpy, and on aged against fresh memory."""
    sizes, outcome = setting.sizes, Outcome()
    found = {power: _fork_samples(1 << power, sizes.rounds) for power in (sizes.middle, sizes.large)}
    outcome.readings[4] = [ratio(found[sizes.large], "fresh: fork", "memcpy: memcpy")]
    outcome.readings[5] = [ratio(samples, "aged: fork", "fresh: fork") for samples in found.values()]
    for power, samples in found.items():
        spelt = _spell(samples, dict.fromkeys(samples, 1 << power))
        outcome.notes.append(f"fork on 2^{power} pages, minimum in ns a page: {spelt}")
    return outcome


def small(setting: Setting) -> Outcome:
    """Measure target 16."""
    from tests.twin import Twin

    pages = 1 << setting.sizes.small
    makers: dict[str, Callable[[], Verbs]] = {
        "model": lambda: model(2 * pages),
        "twin": lambda: Twin(POLICY, {}, MachineConfig(frames=2 * pages)),
    }
    takers = {name: partial(_small_copies, make, pages) for name, make in makers.items()}
    samples = gather(setting.sizes.rounds, takers)
    batches = dict.fromkeys(samples, len(range(0, pages, SMALL_BATCH)) * 1000)
    note = f"15-page copy batches, minimum in us a batch: {_spell(samples, batches)}"
    return Outcome({16: [ratio(samples, "model: copies", "twin: copies")]}, [note])


def _kernel_seconds(kernel: Kernel, faults: int) -> dict[str, float]:
    fork, exit_ = kernel.fork()
    copy, reuse = kernel.fault(faults)
    return {"fork": fork, "exit": exit_, "copy": copy, "reuse": reuse}


def _model_faults(pages: int, counted: Counts, aged: bool = False) -> dict[str, float]:
    machine = model(2 * pages)
    seconds = _faults(machine, pages, aged)
    counted.update(counts(machine))
    return seconds


def _c_faults(setting: Setting, pages: int, counted: Counts, aged: bool = False) -> dict[str, float]:
    with setting.compiler.reference(2 * pages) as machine:
        seconds = _faults(machine, pages, aged)
        counted.update(counts(machine))
    return seconds


def _faults(machine: Verbs, pages: int, aged: bool) -> dict[str, float]:
    parent = populate_aged(machine, pages) if aged else populate(machine, pages)
    return faults(machine, parent, pages, one_in(10, pages, 1))


def _fork_samples(pages: int, rounds: int) -> Samples:
    """Fork a fresh and an aged process of `pages` pages in turns, and copy 8 B a page."""
    fresh, aged = model(2 * pages), model(2 * pages)
    source, target = np.ones(pages, np.uint64), np.ones(pages, np.uint64)

    def copy() -> dict[str, float]:
        start = process_time()
        np.copyto(target, source)
        return {"memcpy": process_time() - start}

    takers: dict[str, Callable[[], dict[str, float]]] = {"memcpy": copy}
    for name, machine, fill in (("fresh", fresh, populate), ("aged", aged, populate_aged)):
        takers[name] = partial(fork_and_exit, machine, fill(machine, pages), pages)
    return gather(rounds, takers, IN_A_ROW)


def _small_copies(make: Callable[[], Verbs], pages: int) -> dict[str, float]:
    machine = make()
    parent = populate(machine, pages)
    machine.fork(parent)
    start = process_time()
    for first in range(0, pages, SMALL_BATCH):
        machine.write(parent, range(first, min(first + SMALL_BATCH, pages)))
    return {"copies": process_time() - start}


def _affordable_pages() -> int:
    """Return how many pages the kernel's timer may touch: a power of two, at most half of what memory is available."""
    return 1 << max(10, (available_memory() // 4096 // 2).bit_length() - 1)


def _spell(samples: Samples, per: dict[str, int]) -> str:
    return ", ".join(f"{name} {min(samples[name]) / pages * 1e9:.3g}" for name, pages in per.items())
