"""What is timed: the mixed programme; and how pages are drawn and processes prepared.

Pages are drawn from an integer hash, so every machine gets the same ones, with any numpy and in any language.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cowbench.machine import Pages, Process, Reference

Numbers = npt.NDArray[np.int64]
ROUNDS = 8
_BLOCK = 1 << 18


class Verbs(Protocol):
    """The part of Machine that the programs here use."""

    def spawn(self) -> Process: ...
    def write(self, process: Process, pages: Pages) -> None: ...
    def read(self, process: Process, pages: Pages) -> None: ...
    def fork(self, process: Process) -> Process: ...
    def exit(self, process: Process) -> None: ...
    def pin(self, process: Process, pages: Pages) -> Reference: ...
    def get(self, process: Process, pages: Pages) -> Reference: ...
    def release(self, reference: Reference) -> None: ...


def hashed(seed: int, first: int, stop: int) -> npt.NDArray[np.uint64]:
    """Return 64 mixed bits for each number from `first` to `stop` (the finaliser of splitmix64)."""
    z = np.arange(first, stop, dtype=np.uint64) + np.uint64(seed << 40)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def one_in(n: int, pages: int, seed: int) -> Numbers:
    """Return every page of `pages` with a chance of 1 to n, ascending."""
    starts = range(0, pages, _BLOCK)
    drawn = [
        np.flatnonzero(hashed(seed, start, min(start + _BLOCK, pages)) % np.uint64(n) == 0) + start for start in starts
    ]
    return np.concatenate(drawn).astype(np.int64)


def anywhere(count: int, pages: int, seed: int) -> Numbers:
    """Return `count` pages in no order, duplicates among them."""
    return (hashed(seed, 0, count) % np.uint64(pages)).astype(np.int64)


@dataclass(frozen=True)
class Draws:
    """The random pages of one round. disordered: every fourth round only."""

    tenth: Numbers
    disordered: Numbers | None
    got: Numbers
    hundredth: Numbers


def draw_mixed(pages: int) -> list[Draws]:
    """Draw the pages of a whole mixed programme."""
    return [
        Draws(
            one_in(10, pages, 4 * i + 1),
            anywhere(pages // 32, pages, 4 * i + 2) if i % 4 == 3 else None,
            one_in(100, pages, 4 * i + 3),
            one_in(100, pages, 4 * i + 4),
        )
        for i in range(ROUNDS)
    ]


def part(pages: int, share: int, which: int) -> range:
    """Return one `share`-th of all pages, as a range."""
    size = pages // share
    first = which % share * size
    return range(first, first + size)


def mixed(machine: Verbs, parent: Process, pages: int, draws: list[Draws]) -> None:
    """Fork servers, snapshots, pins and gets in one: rounds of two forks, with writes of every shape between them."""
    held: Reference | None = None
    for i, drawn in enumerate(draws):
        child = machine.fork(parent)
        machine.write(parent, drawn.tenth)
        machine.write(child, part(pages, 8, i))
        if drawn.disordered is not None:
            machine.write(parent, drawn.disordered)
        pinned = machine.pin(parent, part(pages, 64, 7 * i))
        grandchild = machine.fork(child)
        machine.write(grandchild, part(pages, 16, 5 * i))
        got = machine.get(parent, drawn.got)
        machine.write(child, drawn.hundredth)
        machine.exit(grandchild)
        machine.read(parent, part(pages, 4, i))
        machine.release(got)
        if held is not None:
            machine.release(held)
        held = pinned
        machine.exit(child)
        machine.write(parent, part(pages, 8, i + 4))


def populate(machine: Verbs, pages: int) -> Process:
    """Start a process with `pages` pages and let it fork once, so that tables and rows exist."""
    process = machine.spawn()
    machine.write(process, range(pages))
    machine.exit(machine.fork(process))
    return process


def warm_references(machine: Verbs, process: Process, pages: int) -> None:
    """Take and drop every kind of reference everywhere, so that the columns about them exist and are touched."""
    machine.release(machine.get(process, range(pages)))
    machine.release(machine.pin(process, range(pages)))


def corners(machine: Verbs, pages: int) -> None:
    """Make what the mixed programme has none of: needless copies by cause, lost references, missed early copies."""
    parent = populate(machine, pages)
    got = machine.get(parent, one_in(10, pages, 50))
    machine.exit(machine.fork(parent))
    machine.write(parent, range(pages // 2))
    child = machine.fork(parent)
    machine.write(child, range(4))
    grandchild = machine.fork(child)
    machine.write(grandchild, range(4))
    machine.write(child, range(40))
    pinned = machine.pin(parent, range(pages // 2, pages))
    machine.release(got)
    machine.exit(parent)
    machine.write(child, anywhere(pages, pages, 51))
    machine.exit(machine.fork(child))
    machine.release(pinned)
