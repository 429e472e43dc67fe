"""Random valid programs, made so that swap, references, fork and LRU batches meet on the same few pages.

A program works in stretches: for a while most operations name the same few pages, then others; short motifs (page out
and catch the writeback, fork and let the child go, ...) lead into states that single operations seldom reach. Handles
are always of processes not exited and references not released; the child of a fork that may fail and the reference of
a pin that may find no frame count as usable, because nobody can know beforehand. Operations may run out of frames:
`steps` carries a program out and goes on after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.random import Generator

from cowbench import operations as ops
from cowbench.errors import OutOfFrames
from cowbench.generator.author import Author
from cowbench.generator.making import MAKERS
from cowbench.generator.motifs import MOTIFS
from cowbench.machine import Machine, MachineConfig
from cowbench.operations import Operation


def random_program(
    rng: Generator, *, pages: int = 64, operations: int = 25, cpus: int = 2, staged: bool = True, limits: bool = True
) -> tuple[MachineConfig, list[Operation]]:
    """Return a random machine and a valid program for it, a function of the state of `rng` alone.

    pages: page numbers stay below it. operations: length of the program. staged: with what only a simulation can do
    (stage, during, fail_at, stable writes, children in another memory cgroup). limits: some machines are short of
    frames, of room in a memory cgroup or of atomic reserve.
    """
    config = random_config(rng, pages=pages, cpus=cpus, staged=staged, limits=limits)
    author = Author(rng, pages, cpus, staged)
    _begin(author)
    while len(author.program) < operations:
        if author.chance(0.15):
            author.turn()
        _add(author)
    return config, author.program[:operations]


def random_config(rng: Generator, *, pages: int, cpus: int, staged: bool, limits: bool) -> MachineConfig:
    """Return a random machine; with `limits` some are short of frames, memory cgroup room or atomic reserve."""
    short, reserve = rng.random(2) < (0.3, 0.5)
    groups = [group for group in (0, 1) if rng.random() < 0.2]
    return MachineConfig(
        frames=int(rng.integers(1, 3 * pages)) if limits and short else 1 << 14,
        cpus=cpus,
        swap="synchronous" if rng.random() < 0.3 else "disk",
        stable_writes=bool(staged and rng.random() < 0.2),
        memcg_limits={group: int(rng.integers(1, 2 * pages)) for group in groups if limits},
        atomic_reserve=int(rng.integers(0, 4)) if limits and reserve else 1024,
    )


def steps(operations: Iterable[Operation], machine: Machine) -> Iterator[tuple[Operation, OutOfFrames | None]]:
    """Carry a program out, one operation an iteration; say which ran out of frames, and go on."""
    for operation in operations:
        error = None
        try:
            operation.apply(machine)
        except OutOfFrames as caught:
            error = caught
        yield operation, error


def _begin(author: Author) -> None:
    """Start a process with some pages, half of the time settled on the LRU."""
    author.turn()
    author.program = [ops.Spawn(), ops.Write(author.new_process(0), author.page_range())]
    if author.chance(0.5):
        author.program += [ops.Drain(cpu) for cpu in range(author.cpus)]


def _add(author: Author) -> None:
    """Add an operation or a motif that is possible now."""
    if author.depths and author.chance(0.12):
        author.program += author.among(MOTIFS)(author)
        return
    name = str(author.rng.choice(_NAMES, p=_CHANCES)) if author.depths else "spawn"
    operation = MAKERS[name][1](author)
    if operation is not None:
        author.program.append(operation)


_NAMES = list(MAKERS)
_CHANCES = np.array([weight for weight, _ in MAKERS.values()]) / sum(weight for weight, _ in MAKERS.values())
