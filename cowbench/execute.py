"""Carrying out batches of cells over any concurrent.futures executor, and surviving workers that die.

This module is what worker processes import first, so it must not import numpy: a worker limits BLAS threads before.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TICK_S = 0.5
"""Finished cells are handed on at least this often."""


@dataclass(frozen=True)
class Batch:
    """Some seeds of one policy on one workload, all as JSON so that any worker can run them.

    record: program file to write the operations to.
    """

    policy: str
    workload: str
    profile: str
    seeds: tuple[int, ...]
    record: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a worker made of one seed of a batch: the measured part of the row, and facts for the log."""

    seed: int
    measured: dict[str, Any]
    worker: int
    started: str
    wall_s: float


Finished = tuple[Batch, list[Outcome]]


def run_batch(batch: Batch) -> list[Outcome]:
    """Run the cells of a batch, in a worker or in this process."""
    from cowbench import costs, trial
    from cowbench.errors import PluginError
    from cowbench.spec import PluginSpec

    policy, workload = PluginSpec.from_json(batch.policy), PluginSpec.from_json(batch.workload)
    profile = costs.parse_profile(batch.profile)
    record = Path(batch.record) if batch.record else None
    outcomes = []
    for seed in batch.seeds:
        started, clock = datetime.now(UTC), time.perf_counter()
        try:
            measured = trial.measure(policy, workload, seed, profile, record)
        except PluginError as error:  # the file changed under way
            measured = trial.failure(str(error))
        wall_s = time.perf_counter() - clock
        outcomes.append(Outcome(seed, measured, os.getpid(), started.isoformat(timespec="milliseconds"), wall_s))
    return outcomes


def execute(batches: Iterable[Batch], jobs: int) -> Generator[list[Finished], None, None]:
    """Run batches on `jobs` processes (1: in this one) and yield what finished, at least every TICK_S.

    When a worker dies, everything it could have been running is run again cell by cell, alone; a cell that kills
    its worker twice is given up and marked failed.
    """
    waiting, suspects = deque(batches), deque[Batch]()
    while waiting or suspects:
        with _executor(jobs) as executor:
            alone = bool(suspects)
            lost = yield from _drain(executor, suspects if alone else waiting, 1 if alone else 2 * jobs)
        if alone:
            yield [(batch, [_given_up(batch)]) for batch in lost]
        else:
            suspects.extend(replace(batch, seeds=(seed,)) for batch in lost for seed in batch.seeds)


def _drain(executor: Executor, waiting: deque[Batch], window: int) -> Generator[list[Finished], None, list[Batch]]:
    """Run what waits; return the batches that were lost when the executor broke."""
    running: dict[Future[list[Outcome]], Batch] = {}
    while waiting or running:
        try:
            while waiting and len(running) < window:
                running[executor.submit(run_batch, waiting[0])] = waiting[0]
                waiting.popleft()
        except BrokenExecutor:
            return list(running.values())
        done, _ = wait(running, TICK_S, FIRST_COMPLETED)
        sound = [future for future in done if not isinstance(future.exception(), BrokenExecutor)]
        yield [(running.pop(future), future.result()) for future in sound]
        if len(sound) < len(done):
            return list(running.values())
    return []


def _given_up(batch: Batch) -> Outcome:
    from cowbench import trial

    words = "the worker process died twice while it ran this cell (killed, or out of memory?); use fewer pages"
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Outcome(batch.seeds[0], trial.failure(words), 0, now, 0.0)


class _InProcess(Executor):
    """Runs what is submitted at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class _Processes(ProcessPoolExecutor):
    """Spawned workers that end with this process, and at once when it is interrupted."""

    def __init__(self, jobs: int) -> None:
        self._others = set(multiprocessing.active_children())
        super().__init__(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=start_worker)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for child in set(multiprocessing.active_children()) - self._others:
                child.terminate()
        self.shutdown(wait=True, cancel_futures=True)


def _executor(jobs: int) -> Executor:
    return _InProcess() if jobs == 1 else _Processes(jobs)


def start_worker() -> None:
    """Prepare a worker: one BLAS thread, no part in Ctrl-C, and no life after its parent."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
