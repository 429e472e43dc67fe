"""Grids of trials: what a store lacks is run, on any number of processes, and written as it finishes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cowbench import provenance
from cowbench.again import own_files
from cowbench.costs import CostProfile, read_profile
from cowbench.errors import ParameterError
from cowbench.execute import TICK_S, Batch, Outcome, Processes, Workers, execute
from cowbench.grid import SEEDS, Cell, grid, specs
from cowbench.schema import Row
from cowbench.spec import PluginSpec
from cowbench.store import Result, Store

if TYPE_CHECKING:
    import pandas as pd

_BATCH = 4
"""Seeds a task: few enough that little is lost when a worker dies, enough to make its overhead small."""


_HERE = Processes(1)


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: cells to run, done and failed so far; cached ones were in the store before."""

    total: int
    done: int
    failed: int
    cached: int


def sweep(
    cells: Sequence[Cell],
    store: Store,
    profile: CostProfile,
    *,
    workers: Workers = _HERE,
    retry_failed: bool = False,
    record: Path | None = None,
    study: tuple[str, str] | None = None,
    looks: Sequence[int] = (),
    command: str = "",
    report: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Run the cells that `store` lacks (failed ones count as done unless `retry_failed`) and write their rows.

    Only this process writes the store; an interruption or a kill loses what was in flight, nothing else. `record`
    names a file for the operations of the only cell, which then runs in this process, stored or not. `study` is the
    name and text of the study whose own grid the cells are; without one they are the store's grid. `looks` are those
    of a plan that grows the sample, see cowbench.settle.
    """
    if record is not None and len(cells) != 1:
        raise ParameterError(f"one cell can be recorded, not {len(cells)}; give one policy, one workload and --seeds 1")
    if study is None:
        store.point(pointers(cells))
    else:
        store.add_study(*study, pointers(cells))
    statuses = store.statuses()
    redo = "failed" if retry_failed else None
    missing = {cell.key: cell for cell in cells if record or statuses.get(cell.key) in (None, redo)}
    progress = Progress(len(missing), 0, 0, len(cells) - len(missing))
    report(progress)
    if not missing:
        return progress
    run_id = store.begin_run(_now(), provenance.collect(profile, command, own_files(_used(cells)), looks))
    writer = _Writer(store, run_id, list(missing.values()), progress, report)
    batches = _batches(list(missing.values()), profile, record)
    with closing(execute(batches, Processes(1) if record else workers)) as finished:
        try:
            for some in finished:
                for batch, outcomes in some:
                    writer.take(batch, outcomes)
                writer.flush_if_due()
        finally:
            writer.flush()
    return writer.progress


def pointers(cells: Iterable[Cell]) -> Iterator[tuple[str, str, int, str]]:
    """Return what stands for each cell in a store: policy, workload, seed and key."""
    return ((cell.policy.text, cell.workload.text, cell.seed, cell.key) for cell in cells)


class Known(Protocol):
    """A cell of any grid: of policies, or of a real kernel."""

    @property
    def known(self) -> Row: ...


def failures(store: Store, cells: Iterable[Known], study: str | None = None) -> list[str]:
    """Return the errors of failed cells of a grid, each once with where it arose first and how often."""
    wanted = {tuple(cell.known[name] for name in ("policy", "workload", "seed")) for cell in cells}
    errors: dict[str, list[str]] = {}
    for row in store.rows(study):
        if row["status"] == "failed" and (row["policy"], row["workload"], row["seed"]) in wanted:
            errors.setdefault(row["error"], []).append(f"{row['policy']} on {row['workload']}")
    return [
        f"{places[0]}: {error}" + (f" (and {len(places) - 1} more cells)" if len(places) > 1 else "")
        for error, places in errors.items()
    ]


def run(
    policies: str | Sequence[str] = (),
    workloads: str | Sequence[str] = (),
    seeds: int = SEEDS,
    *,
    store: str | os.PathLike[str] | None = None,
    profile: str | os.PathLike[str] | None = None,
    jobs: int = 1,
) -> pd.DataFrame:
    """Run every policy on every workload and return one row a trial, as `load` does.

    policies, workloads: specs such as "has_pinned:gfp=atomic" or paths of files; all there are if left out. store:
    file to keep rows in, so that a second call does only what is missing. profile: file of costs. jobs: processes;
    with more than one, a script needs the usual `if __name__ == "__main__":`. Raises CowbenchError.
    """
    from cowbench.frame import to_frame

    costs = read_profile(Path(profile)) if profile is not None else read_profile()
    cells = grid(specs("policy", _texts(policies)), specs("workload", _texts(workloads)), seeds, costs)
    with tempfile.TemporaryDirectory() as folder, Store(Path(store or Path(folder, "rows.db"))) as rows:
        sweep(cells, rows, costs, workers=Processes(jobs), command="cowbench.run()")
        wanted = {(cell.policy.text, cell.workload.text, cell.seed) for cell in cells}
        return to_frame([row for row in rows.rows() if (row["policy"], row["workload"], row["seed"]) in wanted])


def _used(cells: Iterable[Cell]) -> Iterator[PluginSpec]:
    return (one for cell in cells for one in (cell.policy, cell.workload))


def _texts(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _batches(cells: list[Cell], profile: CostProfile, record: Path | None) -> Iterator[Batch]:
    """Bundle cells of the same policy and workload."""
    text = profile.to_json()
    for (policy, workload), group in groupby(cells, lambda cell: (cell.policy, cell.workload)):
        same = list(group)
        for first in range(0, len(same), _BATCH):
            some = same[first : first + _BATCH]
            yield Batch(
                policy.to_json(),
                workload.to_json(),
                text,
                tuple(cell.seed for cell in some),
                tuple(cell.key for cell in some),
                None if record is None else str(record),
            )


class _Writer:
    """Turns outcomes into rows and writes them in bundles that are at most about TICK_S old."""

    def __init__(
        self, store: Store, run_id: int, cells: list[Cell], progress: Progress, report: Callable[[Progress], None]
    ) -> None:
        self.progress = progress
        self._store, self._run_id, self._report = store, run_id, report
        self._cells = {(cell.policy.to_json(), cell.workload.to_json(), cell.seed): cell for cell in cells}
        self._ready: list[Result] = []
        self._last = time.monotonic()

    def take(self, batch: Batch, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            cell = self._cells[batch.policy, batch.workload, outcome.seed]
            row = cell.known | outcome.measured
            self._ready.append(Result(cell.key, row, outcome.worker, outcome.started, outcome.wall_s))

    def flush_if_due(self) -> None:
        if time.monotonic() - self._last >= TICK_S:
            self.flush()

    def flush(self) -> None:
        # Nothing is forgotten before it is written: an interruption in here ends in a second, final flush.
        if self._ready:
            self._store.add(self._ready, self._run_id)
            self.progress = replace(
                self.progress,
                done=self.progress.done + len(self._ready),
                failed=self.progress.failed + sum(result.row["status"] == "failed" for result in self._ready),
            )
            self._ready = []
            self._report(self.progress)
        self._last = time.monotonic()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
