"""A recording as of a store that forks to save, made without one: `python -m tests.made_recording FILE [SECONDS]`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cowbench.machine import MachineConfig, Process
from cowbench.operations import Exit, Fork, Operation, Read, Recorder, Spawn, Write
from cowbench.recording import CHUNK, Addresses, End, Facts, Program, RecordingWriter
from cowbench.workload import Workload
from tests.workload_probe import Probe

FACTS = Facts(("redis-server", "--save", "60"), "6.18.5", 10, "userfaultfd", "2026-01-02T03:04:05+00:00")
HEAP = 0x7F1200000
"""Address of the first chunk, in 64 KiB."""


@dataclass(frozen=True)
class Store:
    """A store of `pages` that writes `written` random ones of them each interval, and forks `every` s for `life` s."""

    pages: int = 1 << 18
    seconds: float = 600
    interval_ms: int = 10
    written: int = 200
    every: float = 60
    life: float = 20


def make(path: Path, store: Store, seed: int = 0) -> None:
    """Write the recording of a store that filled its memory first."""
    rng = np.random.default_rng(seed)
    writer = RecordingWriter(path, MachineConfig(), FACTS)
    parent, child = Process(0), Process(0)
    writer.operation(Spawn())
    writer.note(Program(parent, 4711, "/usr/bin/redis-server"))
    writer.note(Addresses(0, tuple(range(HEAP, HEAP - (-store.pages // CHUNK)))))
    writer.operation(Write(parent, range(store.pages)))
    steps = round(1000 * store.seconds / store.interval_ms)
    every, life = (round(1000 * time / store.interval_ms) for time in (store.every, store.life))
    for step in range(1, steps + 1):
        writer.time(step * store.interval_ms)
        if step % every == every // 2:
            child = Process(child + 1)
            writer.operation(Fork(parent))
            writer.note(Program(child, 4711 + child, "/usr/bin/redis-server"))
        elif child and step % every == (every // 2 + life) % every:
            writer.operation(Exit(child))
        writer.operation(Write(parent, np.unique(rng.integers(store.pages, size=store.written))))
        writer.flush()
    writer.note(End(steps * store.interval_ms, "all processes ended", 0))
    writer.close()


def record_store(path: Path, load: Workload, seed: int = 0) -> None:
    """Write the recording of a run of the workload snapshot_store: each of its batches of writes is an interval."""
    steps = 16
    values = load.values()
    life = float(values["pages"]) / float(values["disk"])
    pause = max(0.0, float(values["every"]) - life)
    writer, ms = RecordingWriter(path, MachineConfig(), FACTS), 0.0
    saving = False

    def see(operation: Operation) -> None:
        nonlocal ms, saving
        if isinstance(operation, Write) and not isinstance(operation.pages, range):
            ms += 1000 * (life / steps if saving else pause)
            writer.time(ms)
            operation = Write(operation.process, np.unique(operation.pages))
        saving = isinstance(operation, Fork) or (saving and not isinstance(operation, Exit))
        if not isinstance(operation, Read):  # a kernel does not show them
            writer.operation(operation)

    machine: Any = Recorder(Probe(), see)
    load.run(machine, np.random.default_rng(seed))
    writer.note(End(ms, "all processes ended", 0))
    writer.close()


if __name__ == "__main__":
    make(Path(sys.argv[1]), Store(seconds=float(sys.argv[2]) if len(sys.argv) > 2 else 600))
