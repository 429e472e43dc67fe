"""What is timed singly: a fork and its child's end, reuse and copies; on fresh and on aged memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from time import process_time

import numpy as np

from benchmarks.ratios.programs import Numbers, Verbs, hashed
from cowbench.machine import Pages, Process

Clock = Callable[[], float]
"""Seconds: CPU time of this process where only it works, as other load hurts that less than wall time."""
AT_ONCE = 1 << 12
"""Pages of one write of an ageing process."""


def populate_aged(machine: Verbs, pages: int) -> Process:
    """As `populate`, but its frames lie in no order in a pool of 2 x `pages`, whatever way a machine hands them out.

    Two processes take turns to write in random order; one of them is gone afterwards.
    """
    process, other = machine.spawn(), machine.spawn()
    order = np.argsort(hashed(0, 0, pages), kind="stable")
    for writer in (process, other):
        machine.write(writer, range(pages - 1, pages))  # or page tables grow by doubling, past the last page
    for start in range(0, pages, AT_ONCE):
        for writer in (process, other):
            machine.write(writer, order[start : start + AT_ONCE])
    machine.exit(other)
    machine.exit(machine.fork(process))
    return process


def fork_and_exit(machine: Verbs, parent: Process, pages: int, clock: Clock = process_time) -> dict[str, float]:
    """Time a fork whose child writes, from a parent whose pages are all writable, and the child's exit.

    What the child's first write costs over its second counts as fork: where fork puts work off, it comes back there.
    Afterwards the parent has all its pages to itself again, on the same frames.
    """
    machine.write(parent, range(pages))
    times = [clock()]
    child = machine.fork(parent)
    times.append(clock())
    for page in range(2):
        machine.write(child, range(page, page + 1))
        times.append(clock())
    machine.exit(child)
    times.append(clock())
    fork, first, second, exit_ = (after - before for before, after in pairwise(times))
    return {"fork": fork + max(0.0, first - second), "exit": exit_}


def quiet_fork(machine: Verbs, parent: Process, pages: int, clock: Clock = process_time) -> dict[str, float]:
    """Time a fork whose child does nothing but exit, from a parent whose pages are all writable."""
    machine.write(parent, range(pages))
    start = clock()
    child = machine.fork(parent)
    forked = clock()
    machine.exit(child)
    return {"fork": forked - start, "exit": clock() - forked}


def faults(machine: Verbs, parent: Process, pages: int, tenth: Numbers) -> dict[str, float]:
    """Time reuse and copies of a process that has all pages to itself.

    Needs 2 x `pages` frames and leaves a child alive. That child writes first, so that no fault here pays for a fork.
    """
    seconds: dict[str, float] = {}

    def lap(name: str, process: Process, written: Pages) -> None:
        start = process_time()
        machine.write(process, written)
        seconds[name] = process_time() - start

    machine.exit(machine.fork(parent))
    lap("reuse range", parent, range(pages))
    child = machine.fork(parent)
    machine.write(child, range(2))
    lap("copy random", parent, tenth)
    lap("copy range", child, range(pages))
    return seconds
