"""What a random program is written with: who is alive, which pages are in focus, and throws of the dice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from numpy.random import Generator

from cowbench.machine import Pages, Process, Reference
from cowbench.operations import Operation

T = TypeVar("T")

BATCHES = (1, 7, 14, 15, 16, 20, 30, 31, 32, 40, 47)
"""Sizes of page ranges: around the LRU batches of 15 and 31 entries, so that a flush falls into the middle of one."""


@dataclass
class Author:
    """The state of one program being written.

    depths: live processes -> generation. references: live ones -> taken for writing. focus: pages that most operations
    of this stretch name. actor: the process that acted last.
    """

    rng: Generator
    pages: int
    cpus: int
    staged: bool
    program: list[Operation] = field(default_factory=list)
    depths: dict[Process, int] = field(default_factory=dict)
    references: dict[Reference, bool] = field(default_factory=dict)
    processes_made: int = 0
    references_made: int = 0
    focus: Pages = range(1)
    actor: Process | None = None

    def chance(self, probability: float) -> bool:
        """Throw a coin."""
        return bool(self.rng.random() < probability)

    def among(self, choices: Sequence[T]) -> T:
        """Draw one of some things."""
        return choices[int(self.rng.integers(len(choices)))]

    def process(self) -> Process:
        """Draw a live process: often the one that acted last."""
        if self.actor is None or self.actor not in self.depths or self.chance(0.5):
            self.actor = self.among(list(self.depths))
        return self.actor

    def some_pages(self) -> Pages:
        """Draw pages: mostly those in focus, else a range or an unordered array with duplicates."""
        draw = self.rng.random()
        if draw < 0.7:
            return self.focus
        if draw < 0.85:
            return self.page_range()
        return self.rng.integers(0, self.pages, int(self.rng.integers(1, 9)))

    def page_range(self) -> range:
        """Draw a range of pages, mostly from page 0 on."""
        size = min(self.among(BATCHES), self.pages)
        first = int(self.rng.integers(0, self.pages - size + 1)) if self.chance(0.3) else 0
        return range(first, first + size)

    def turn(self) -> None:
        """Turn to other pages: one, a few in any order, or a range."""
        draw = self.rng.random()
        if draw < 0.4:
            page = int(self.rng.integers(0, min(3, self.pages)))
            self.focus = range(page, page + 1)
        elif draw < 0.7:
            self.focus = self.rng.integers(0, min(6, self.pages), int(self.rng.integers(1, 5)))
        else:
            self.focus = self.page_range()

    def new_process(self, depth: int) -> Process:
        """Return the process that the next operation hands out."""
        process = Process(self.processes_made)
        self.depths[process] = depth
        self.processes_made += 1
        return process

    def new_reference(self, write: bool) -> Reference:
        """Return the reference that the next operation hands out."""
        reference = Reference(self.references_made)
        self.references[reference] = write
        self.references_made += 1
        return reference
