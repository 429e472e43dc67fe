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
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

TICK_S = 0.5
"""Finished cells are handed on at least this often."""


@dataclass(frozen=True)
class Batch:
    """Some seeds of one policy on one workload, all as JSON so that any worker can run them.

    keys: of the cells, seed by seed, by which a worker elsewhere tells that it would make the same rows. record:
    program file to write the operations to.
    """

    policy: str
    workload: str
    profile: str
    seeds: tuple[int, ...]
    keys: tuple[str, ...]
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


class Workers(Protocol):
    """What runs batches."""

    def executor(self) -> AbstractContextManager[Executor]:
        """Give an executor of `run_batch`; when it breaks, another is asked for.

        It breaks a future whose worker died with BrokenExecutor, and if it goes on itself, that future only.
        """

    def window(self) -> int:
        """Return how many batches may be under way now: enough to keep every worker busy."""


def execute(batches: Iterable[Batch], workers: Workers) -> Generator[list[Finished], None, None]:
    """Run batches on workers and yield what finished, at least every TICK_S.

    When a worker dies, everything it could have been running is run again cell by cell, alone; a cell that kills
    its worker again is given up and marked failed.
    """
    waiting, suspects = deque(batches), deque[Batch]()
    while waiting or suspects:
        with workers.executor() as executor:
            alone = bool(suspects)
            lost = yield from _drain(executor, suspects if alone else waiting, workers.window, 1 if alone else None)
        if alone:
            yield [(batch, [_given_up(batch)]) for batch in lost]
        else:
            suspects.extend(one for batch in lost for one in _single(batch))


def _single(batch: Batch) -> Iterator[Batch]:
    for seed, key in zip(batch.seeds, batch.keys, strict=True):
        yield replace(batch, seeds=(seed,), keys=(key,))


def _drain(
    executor: Executor, waiting: deque[Batch], window: Callable[[], int], most: int | None
) -> Generator[list[Finished], None, list[Batch]]:
    """Run what waits, `most` at a time, until the executor breaks for good; return the batches whose worker died."""
    running: dict[Future[list[Outcome]], Batch] = {}
    lost: list[Batch] = []
    while waiting or running:
        room = min(window(), most or len(waiting) + len(running)) - len(running)
        try:
            for _ in range(min(len(waiting), room)):
                running[executor.submit(run_batch, waiting[0])] = waiting[0]
                waiting.popleft()
        except BrokenExecutor:
            if not running:
                return lost
        done, _ = wait(running, TICK_S, FIRST_COMPLETED)
        broken = [future for future in done if isinstance(future.exception(), BrokenExecutor)]
        yield [(running.pop(future), future.result()) for future in done.difference(broken)]
        lost += [running.pop(future) for future in broken]
    return lost


def _given_up(batch: Batch) -> Outcome:
    from cowbench import trial

    words = "its worker process died each time it ran this cell (killed, or out of memory?); use fewer pages"
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


@dataclass(frozen=True)
class Processes:
    """Processes of this machine; one: this process."""

    jobs: int

    def executor(self) -> AbstractContextManager[Executor]:
        """Give an executor on so many processes."""
        return _InProcess() if self.jobs == 1 else _Processes(self.jobs)

    def window(self) -> int:
        """Return two batches a process."""
        return 2 * self.jobs


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
