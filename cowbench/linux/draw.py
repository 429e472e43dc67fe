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
from cowbench.operations import DeviceWrite, Get, Operation, PageOut, Pin, Protect, Spawn

MEAN, LONGEST = 25, 200
"""Operations of a program."""
CONFIG = MachineConfig(frames=1 << 14)
"""What the model runs on: memory enough, two CPUs, an asynchronous swap device."""


def draw(seed: int, number: int, abilities: Mapping[Ability, str], left_out: Counter[str]) -> list[Operation]:
    """Return random program `number` of a seed, with up to 64 pages and 25 operations on average.

    Operations that the kernel cannot stage are taken out, with those that use their handles, and counted by why in
    `left_out`.
    """
    rng = np.random.default_rng([seed, number])
    length = min(2 + int(rng.geometric(1 / (MEAN - 2))), LONGEST)
    pages = int(rng.choice([4, 8, 20, 36, 64], p=[0.2, 0.2, 0.3, 0.2, 0.1]))
    _, program = random_program(rng, pages=pages, operations=2 * length, staged=False, limits=False)
    program = [replace(o, memcg=0) if isinstance(o, Spawn) else o for o in program]
    whole = range(last_page(program) + 1)  # clear_refs knows no single pages
    program = [replace(o, pages=whole) if isinstance(o, Protect) and o.tracked else o for o in program]
    reasons = {index: reason for index, reason in enumerate(_reasons(program, abilities)) if reason}
    left_out.update(reasons.values())
    return without(program, operations=reasons)[:length]


def _reasons(program: list[Operation], abilities: Mapping[Ability, str]) -> list[str]:
    """Say of each operation why it cannot be staged, "" if it can."""
    reasons, gets = [], []
    for operation in program:
        lacking = [f"{operation.op}: {abilities[one]}" for one in sorted(needs(operation)) if abilities[one]]
        if isinstance(operation, Pin | Get):
            gets.append(isinstance(operation, Get))
        if isinstance(operation, DeviceWrite) and gets[operation.reference]:
            lacking.append("device_write: nothing can be written through a pipe")
        if isinstance(operation, PageOut) and not one_run(operation.pages):
            lacking.append("page_out: of pages that are not one run, each run is a call of its own")
        reasons.append(lacking[0] if lacking else "")
    return reasons
