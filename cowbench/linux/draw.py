"""Random programs that a kernel can stage: those of the generator, without what it cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from cowbench.abilities import Ability, needs
from cowbench.generator import random_program, without
from cowbench.linux.applicable import last_page
from cowbench.linux.wire import one_run
from cowbench.machine import MachineConfig
from cowbench.operations import DeviceWrite, Dontfork, Exec, Fork, Get, Operation, PageOut, Pin, Protect, Spawn

MEAN, LONGEST = 25, 200
"""Operations of a program."""
CONFIG = MachineConfig(frames=1 << 14)
"""What the model runs on: memory enough, two CPUs, an asynchronous swap device."""


_CUT = "page_out cut short: the LRU batch would flush under writeback, whose end puts pages into another batch"
_SPLIT = "page_out: of pages that MADV_DONTFORK put into several mappings, each is walked, and drained for, on its own"


def draw(
    seed: int, number: int, abilities: Mapping[Ability, str], batch: int, left_out: Counter[str]
) -> list[Operation]:
    """Return random program `number` of a seed, with up to 64 pages and 25 operations on average.

    Operations that the kernel cannot stage are taken out, with those that use their handles, and counted by why in
    `left_out`. batch: pages of an LRU batch of the kernel.
    """
    rng = np.random.default_rng([seed, number])
    length = min(2 + int(rng.geometric(1 / (MEAN - 2))), LONGEST)
    pages = int(rng.choice([4, 8, 20, 36, 64], p=[0.2, 0.2, 0.3, 0.2, 0.1]))
    _, program = random_program(rng, pages=pages, operations=2 * length, staged=False, limits=False)
    program = [replace(o, memcg=0) if isinstance(o, Spawn) else o for o in program]
    whole = range(last_page(program) + 1)  # clear_refs knows no single pages
    program = [replace(o, pages=whole) if isinstance(o, Protect) and o.tracked else o for o in program]
    left_out[_CUT] += sum(isinstance(o, PageOut) and len(o.pages) >= batch for o in program)
    program = [replace(o, pages=o.pages[: batch - 1]) if isinstance(o, PageOut) else o for o in program]
    reasons = {index: reason for index, reason in enumerate(_reasons(program, abilities)) if reason}
    left_out.update(reasons.values())
    return without(program, operations=reasons)[:length]


def _reasons(program: list[Operation], abilities: Mapping[Ability, str]) -> list[str]:
    """Say of each operation why it cannot be staged, "" if it can."""
    reasons, gets = [], []
    split = _Split()
    for operation in program:
        split.follow(operation)
        lacking = [f"{operation.op}: {abilities[one]}" for one in sorted(needs(operation)) if abilities[one]]
        if isinstance(operation, Pin | Get):
            gets.append(isinstance(operation, Get))
        if isinstance(operation, DeviceWrite) and gets[operation.reference]:
            lacking.append("device_write: nothing can be written through a pipe")
        if isinstance(operation, PageOut) and not one_run(operation.pages):
            lacking.append("page_out: of pages that are not one run, each run is a call of its own")
        if isinstance(operation, PageOut) and split.between(operation):
            lacking.append(_SPLIT)
        reasons.append(lacking[0] if lacking else "")
    return reasons


class _Split:
    """Pages that MADV_DONTFORK put into mappings of their own, or that are missing for it, by process."""

    def __init__(self) -> None:
        self._apart: list[set[int]] = []

    def follow(self, operation: Operation) -> None:
        """Take in the next operation of a program."""
        if isinstance(operation, Spawn):
            self._apart.append(set())
        elif isinstance(operation, Fork):
            self._apart.append(set(self._apart[operation.process]))
        elif isinstance(operation, Dontfork):
            self._apart[operation.process] |= set(map(int, operation.pages))
        elif isinstance(operation, Exec):
            self._apart[operation.process] = set()

    def between(self, operation: PageOut) -> bool:
        """Tell whether some of the pages are apart from others."""
        pages = set(map(int, operation.pages))
        return bool(pages & self._apart[operation.process]) and not pages <= self._apart[operation.process]
