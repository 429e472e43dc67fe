"""Times of what a kernel does to memory: a plan of samples, carried out by measure.c."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cowbench import provenance
from cowbench.errors import KernelError
from cowbench.linux.build import compiled


@dataclass(frozen=True)
class Task:
    """One thing to time, as measure.c names it, on memory of `pages` written pages, the first `pinned` of them held."""

    kind: str
    pages: int
    pinned: int = 0

    def __str__(self) -> str:
        """Say what is timed."""
        pinned = f", {self.pinned:,} pinned" if self.pinned else ""
        return f"{self.kind} of {self.pages:,} pages{pinned}"


@dataclass(frozen=True)
class Place:
    """Where times are from. emulated: by an emulator, so that they say nothing about any machine."""

    release: str
    cpu: str
    emulated: bool


Timer = Callable[[Sequence[Task]], Iterator[int]]
"""Answers a plan task by task, in ns; an error number, negative, where the kernel refused."""


def host() -> tuple[Timer, Place]:
    """Return a timer of the running kernel, which raises KernelError if its program dies, and where that is."""
    program, cpu = compiled("measure"), provenance.cpu()
    return lambda plan: _run(program, plan), Place(platform.release(), cpu, "TCG" in cpu)


def write_plan(plan: Sequence[Task]) -> str:
    """Return a plan as measure.c reads it."""
    return "".join(f"{task.kind} {task.pages} {task.pinned}\n" for task in plan)


def read_answers(lines: Iterator[str], plan: Sequence[Task]) -> Iterator[int]:
    """Read what measure.c answers to a plan. Raises KernelError if it stops before the end."""
    for task in plan:
        line = next(lines, "").strip()
        if not line:
            raise KernelError(f"the measuring program ended at {task}; was it killed, for want of memory?")
        yield int(line)


def reason(answer: int) -> str:
    """Say in words why the kernel refused."""
    return os.strerror(-answer)


def _run(program: Path, plan: Sequence[Task]) -> Iterator[int]:
    with tempfile.TemporaryFile("w+") as lines:
        lines.write(write_plan(plan))
        lines.seek(0)
        with subprocess.Popen([program], stdin=lines, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield from read_answers(process.stdout, plan)
            finally:
                process.kill()
