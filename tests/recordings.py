"""Recordings of tests/actor.c, and what they say of its area."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cowbench import spec
from cowbench.linux.build import built
from cowbench.linux.era import era
from cowbench.machine import MachineConfig, Process
from cowbench.observation import Numbers
from cowbench.operations import Discard, Fork, Operation
from cowbench.recording import CHUNK, Addresses, Frames, Missed, Note, Time, read_facts, read_lines
from cowbench.simulated import SimulatedMachine
from cowbench.simulated.seen import places

AREA = 0x10000000000 // 4096
INTERVAL_MS = 10
NAP_MS = 200
NAP = f"s:{NAP_MS}"
"""Long enough for a look, also on a busy machine."""


def able() -> bool:
    """Whether this machine can record; fails instead when CI is set."""
    missing = [tool for tool in ("cc",) if shutil.which(tool) is None]
    if os.environ.get("CI"):
        assert not missing
        assert os.geteuid() == 0
    return not missing and os.geteuid() == 0 and sys.platform == "linux"


needs_root = pytest.mark.skipif(not able(), reason="recording needs root and a C compiler")


def actor(*flags: str) -> Path:
    """Return the compiled actor."""
    return built(Path(__file__).with_name("actor.c"), ("-O1", *flags))


def command(output: Path, *words: str, options: tuple[str, ...] = (), program: Path | None = None) -> list[str]:
    """Return the command that records the actor doing `words`."""
    asked = ("--output", str(output), "--interval", f"{INTERVAL_MS}ms", *options)
    return [sys.executable, "-m", "cowbench", "record", *asked, "--", str(program or actor()), *words]


def record(output: Path, *words: str, options: tuple[str, ...] = (), program: Path | None = None) -> Recording:
    """Record the actor doing `words`."""
    asked = command(output, *words, options=options, program=program)
    settings = {**os.environ, "ACTOR_FILE": f"{output}.direct"}
    done = subprocess.run(asked, check=False, text=True, capture_output=True, timeout=60, env=settings)
    assert done.returncode == 0, done.stderr
    return Recording(output, done.stdout, done.stderr)


@dataclass(frozen=True)
class Recording:
    """A recording, and what was printed while it was made."""

    path: Path
    out: str = ""
    err: str = ""

    def lines(self) -> list[Operation | Note]:
        return list(read_lines(self.path))

    def area(self) -> list[tuple[str, int, list[int]]]:
        """Return what happened in the area: operation, process, pages of the area; whole processes without pages.

        Batches of one kind in a row, closer than a nap, are one: a look may fall between the writes of one word.
        """
        found: list[tuple[str, int, list[int]]] = []
        last = 0.0
        for ms, op, process, pages in self._steps():
            if pages and found and found[-1][:2] == (op, process) and ms - last < NAP_MS / 2:
                pages = sorted({*found.pop()[2], *pages})
            found.append((op, process, pages))
            last = ms
        return found

    def _steps(self) -> Iterator[tuple[float, str, int, list[int]]]:
        at: list[int] = []
        ms = 0.0
        for line in self.lines():
            if isinstance(line, Time):
                ms = line.ms
            elif isinstance(line, Addresses):
                at[line.chunk :] = line.at
            elif isinstance(line, Operation) and hasattr(line, "pages") and hasattr(line, "process"):
                pages = np.asarray(line.pages, np.int64)
                real = np.array(at, np.int64)[pages // CHUNK] * CHUNK + pages % CHUNK - AREA
                inside = sorted(real[(real >= 0) & (real < 4096)].tolist())
                if inside:
                    yield ms, line.op, line.process, inside
            elif isinstance(line, Operation):
                yield ms, line.op, getattr(line, "process", -1), []

    def told(self, op: str, process: int) -> list[list[int]]:
        """Return the pages of each batch of one operation of one process."""
        return [pages for name, who, pages in self.area() if (name, who) == (op, process)]

    def missed(self) -> dict[str, int]:
        return {note.what: note.count for note in self.lines() if isinstance(note, Missed)}

    def frames(self) -> list[Frames]:
        return [line for line in self.lines() if isinstance(line, Frames)]

    def predicted(self) -> list[Frames]:
        """Return what the notes of frames would say if the model of the recording kernel were the kernel."""
        policy = spec.parse("policy", era(read_facts(self.path).kernel)).build()
        machine = SimulatedMachine(policy, MachineConfig())
        before: dict[int, Numbers] = {}
        found = []
        for line in self.lines():
            if isinstance(line, Operation):
                line.apply(machine)
            if isinstance(line, Fork):
                for process in (line.process, len(machine.processes) - 1):
                    before[process] = places(machine, line.process)
            elif isinstance(line, Discard) and line.process in before:
                pages = np.asarray(line.pages)
                before[line.process][pages[pages < len(before[line.process])]] = -1
            elif isinstance(line, Frames):
                now, then = places(machine, Process(line.process)), before[line.process]
                both = min(len(now), len(then))
                there = (now[:both] >= 0) & (then[:both] >= 0)
                changed = int(np.count_nonzero(there & (now[:both] != then[:both])))
                found.append(Frames(line.process, line.child, int(there.sum()), changed))
                before[line.process] = now
        return found
