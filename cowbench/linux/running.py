"""Grids of trials on a real kernel: what a store lacks is run, one after the other, and written as it finishes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cowbench import provenance
from cowbench.again import own_files
from cowbench.keys import kernel_key
from cowbench.linux import trials
from cowbench.linux.connection import Kernel
from cowbench.schema import Row
from cowbench.spec import PluginSpec
from cowbench.store import Result, Store
from cowbench.sweep import Progress


@dataclass(frozen=True)
class Cell:
    """One trial of a grid, as in cowbench.grid but for the policy, which is the kernel."""

    workload: PluginSpec
    seed: int
    key: str
    known: Row


def grid(release: str, version: str, workloads: Iterable[PluginSpec], seeds: int) -> list[Cell]:
    """Return every cell: `seeds` of each sampled workload, one of each exact one.

    version: what tells the kernel from others of its release.
    """
    cells = []
    for workload in workloads:
        known = trials.identity(release, workload, 0)
        for seed in range(1 if known["sampling"] == "exact" else seeds):
            key = kernel_key(f"{release} {version}", workload, seed)
            cells.append(Cell(workload, seed, key, known | {"seed": seed}))
    return cells


def run(
    kernel: Kernel,
    cells: Sequence[Cell],
    store: Store,
    *,
    retry_failed: bool = False,
    study: str | None = None,
    command: str = "",
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Run the cells that `store` lacks (failed ones count as done unless `retry_failed`) and write their rows.

    study: the study whose own grid the cells belong to; without one they are the store's grid.
    Raises KernelError if the kernel stops answering; cells finished before are kept.
    """
    pointers = [(cell.known["policy"], cell.workload.text, cell.seed, cell.key) for cell in cells]
    store.point(pointers) if study is None else store.add_to_study(study, pointers)
    statuses = store.statuses()
    redo = "failed" if retry_failed else None
    missing = [cell for cell in cells if statuses.get(cell.key) in (None, redo)]
    progress = Progress(len(missing), 0, 0, len(cells) - len(missing))
    report(progress)
    if not missing:
        return progress
    facts = provenance.collect(None, command, own_files(cell.workload for cell in cells))
    run_id = store.begin_run(_now("seconds"), facts | {"kernel": kernel.release})
    for cell in missing:
        result = _one(kernel, cell)
        store.add([result], run_id)
        failed = progress.failed + (result.row["status"] == "failed")
        progress = replace(progress, done=progress.done + 1, failed=failed)
        report(progress)
    return progress


def _one(kernel: Kernel, cell: Cell) -> Result:
    started, clock = _now("milliseconds"), time.perf_counter()
    row = cell.known | trials.measure(kernel, cell.workload, cell.seed)
    return Result(cell.key, row, os.getpid(), started, time.perf_counter() - clock)


def _now(precision: str) -> str:
    return datetime.now(UTC).isoformat(timespec=precision)
