"""Time and memory of the page model's operations, from 2^12 to 2^22 pages of one process.

Operations change what they are timed on, so setup() builds everything anew before each call: asv_runner 0.3 and later
then makes one call a sample. Small sizes work on several machines in one call, so that no call is shorter than 1 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cowbench import plugins
from cowbench.machine import MachineConfig, Process, Reference
from cowbench.simulated import SimulatedMachine

PAGES = (1 << 12, 1 << 16, 1 << 20, 1 << 22)


class Load(NamedTuple):
    """A machine, its first process with all pages written, and that process's child where an operation needs one."""

    machine: SimulatedMachine
    parent: Process
    child: Process | None
    pages: int


class Operation(NamedTuple):
    """What is measured. forked: whether a child is there before. machines: for each of PAGES, how many to work on."""

    run: Callable[[Load], object]
    forked: bool
    machines: tuple[int, int, int, int]


def _fork(load: Load) -> None:
    """Fork, and let the child write once: a child that never does would not show what fork puts off."""
    load.machine.write(load.machine.fork(load.parent), range(1))


def _exit(load: Load) -> None:
    assert load.child is not None
    load.machine.exit(load.child)


def _write_fault(load: Load) -> None:
    """Write every tenth page of a parent that shares them all."""
    load.machine.write(load.parent, np.arange(0, load.pages, 10))


def _pin(load: Load) -> None:
    load.machine.pin(load.parent, range(load.pages), write=True)


def _page_out(load: Load) -> None:
    load.machine.page_out(load.parent, range(load.pages))


def _mixed(load: Load) -> None:
    """Rounds of what servers do: fork, write on both sides, pin, get, swap, end."""
    machine, parent, pages = load.machine, load.parent, load.pages
    held: Reference | None = None
    for step in range(4):
        child = machine.fork(parent)
        machine.write(parent, np.arange(step, pages, 10))
        machine.write(child, range(step * pages // 8, (step + 1) * pages // 8))
        pinned = machine.pin(parent, range(step * pages // 64, (step + 1) * pages // 64), write=True)
        got = machine.get(parent, np.arange(step, pages, 100), write=True)
        machine.page_out(child, range(pages // 4))
        machine.write(child, np.arange(0, pages, 100))
        machine.release(got)
        if held is not None:
            machine.release(held)
        held = pinned
        machine.exit(child)
        machine.write(parent, range(step * pages // 8, (step + 1) * pages // 8))


OPERATIONS = {
    "fork": Operation(_fork, False, (16, 12, 4, 1)),
    "exit": Operation(_exit, True, (64, 32, 8, 2)),
    "write_fault": Operation(_write_fault, True, (16, 8, 2, 1)),
    "pin": Operation(_pin, False, (16, 4, 1, 1)),
    "page_out": Operation(_page_out, False, (8, 1, 1, 1)),
    "mixed": Operation(_mixed, False, (1, 1, 1, 1)),
}


def load(pages: int, forked: bool) -> Load:
    """Return a fresh machine under has_pinned; a child has written its first page, so that no work is put off."""
    machine = SimulatedMachine(plugins.load("policy", "has_pinned")(), MachineConfig(frames=4 * pages))
    parent = machine.spawn()
    machine.write(parent, range(pages))
    child = machine.fork(parent) if forked else None
    if child is not None:
        machine.write(child, range(1))
    return Load(machine, parent, child, pages)


class Time:
    """Wall time of an operation on all pages."""

    params = (tuple(OPERATIONS), PAGES)
    param_names = ("operation", "pages")
    timeout = 120
    warmup_time = 0
    repeat = (3, 10, 2.0)

    def setup(self, operation: str, pages: int) -> None:
        """Build the machines anew: this runs before every call."""
        chosen = OPERATIONS[operation]
        self.loads = [load(pages, chosen.forked) for _ in range(chosen.machines[PAGES.index(pages)])]

    def time_operation(self, operation: str, pages: int) -> None:
        """Carry the operation out on every machine."""
        run = OPERATIONS[operation].run
        for one in self.loads:
            run(one)


class Memory:
    """The most memory of a process that builds one machine and carries an operation out, interpreter included."""

    params = (tuple(OPERATIONS), PAGES)
    param_names = ("operation", "pages")
    timeout = 120

    def peakmem_operation(self, operation: str, pages: int) -> None:
        """Build and work in one: memory freed before the operation begins counts as well."""
        chosen = OPERATIONS[operation]
        chosen.run(load(pages, chosen.forked))


for _benchmark in (Time.time_operation, Memory.peakmem_operation):
    setattr(_benchmark, "version", "1")  # noqa: B010 (asv reads attributes of functions, types know of none)
