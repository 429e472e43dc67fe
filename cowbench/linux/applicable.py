"""Which abilities a kernel has, as their effects show, and which programs it can therefore carry out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cowbench.abilities import ABILITIES, Ability, needs
from cowbench.errors import KernelError
from cowbench.linux.wire import Hello, one_run
from cowbench.machine import MachineConfig, Process, Reference, SwapDevice
from cowbench.observation import SWAPPED, Observation
from cowbench.operations import (
    DeviceRead,
    DeviceWrite,
    Dontfork,
    Drain,
    Exec,
    Fork,
    Get,
    Operation,
    PageOut,
    Pin,
    Protect,
    Read,
    Spawn,
    Write,
)

CarryOut = Callable[[Sequence[Operation]], Observation]

P, PAGE, REF = Process(0), range(1), Reference(0)
START: tuple[Operation, ...] = (Spawn(), Write(P, PAGE))
_LEAST_FRAMES = MachineConfig().frames >> 11
"""A machine with fewer frames than this (8,192) is meant to run short of them."""

NEVER: dict[Ability, str] = {
    "short_pin": "nothing in the kernel but its test module gup_test holds a short-term pin on request",
    "read_pin": "nothing in the kernel but its test module gup_test pins for reading only",
    "simulation": "only a simulation can stage it",
}
PROBES: dict[Ability, tuple[str, tuple[Operation, ...]]] = {
    "long_pin": (
        "a device cannot write to a page registered with io_uring",
        (*START, Pin(P, PAGE, longterm=True), DeviceWrite(REF), Read(P, PAGE)),
    ),
    "read_get": (
        "a pipe got a copy from vmsplice, not the page",
        (*START, Get(P, PAGE, coherent=False), Write(P, PAGE), DeviceRead(REF)),
    ),
    "dontfork": (
        "a child got a page in spite of MADV_DONTFORK",
        (*START, Dontfork(P, PAGE), Fork(P), Read(Process(1), PAGE)),
    ),
    "exec": ("a page outlived exec", (*START, Exec(P), Read(P, PAGE))),
    "tracked": (
        "soft-dirty bits cannot be cleared",
        (*START, Protect(P, PAGE, tracked=True), Write(P, PAGE), Read(P, PAGE)),
    ),
    "swap": ("MADV_PAGEOUT put no page out", (*START, Drain(0), PageOut(P, PAGE))),
    "drop": ("pages stay in the swap cache", (*START, Drain(0), PageOut(P, PAGE, drop=True))),
}
"""For each ability what is wrong if its effect does not show, and a program that shows it."""
_TOKENS: dict[Ability, int] = {"long_pin": 4, "read_get": 4, "dontfork": 0, "exec": 0, "tracked": 4}
"""What the last operation must read."""


def probe(carry_out: CarryOut, hello: Hello, swap: SwapDevice | None, no_swap: str) -> dict[Ability, str]:
    """Say of each ability why a kernel lacks it, "" if it has it."""
    found: dict[Ability, str] = dict.fromkeys(ABILITIES, "")
    found |= NEVER
    for ability in PROBES:
        out = swap is None and ability in ("swap", "drop")
        found[ability] = no_swap if out else _probe(carry_out, ability)
    found["write_get"] = found["read_get"]
    if hello.cpus < 2:
        found["second_cpu"] = "the agent may run on one CPU only"
    return found


def _probe(carry_out: CarryOut, ability: Ability) -> str:
    reason, program = PROBES[ability]
    try:
        last = carry_out(program).steps[-1]
    except KernelError as error:
        return str(error).removeprefix("the agent could not carry the program out: ")
    if ability in _TOKENS:
        return "" if last.tokens.tolist() == [_TOKENS[ability]] else reason
    return "" if last.frame.tolist() == [SWAPPED] else reason


def not_applicable(
    operations: Sequence[Operation],
    config: MachineConfig,
    abilities: dict[Ability, str],
    swap: SwapDevice | None,
    cpus: int,
) -> str:
    """Say why a kernel cannot carry a program out, "" if it can. cpus: that the agent may run on."""
    if config.memcg_limits:
        return "limits of memory cgroups are not set on kernels"
    if config.frames < _LEAST_FRAMES:
        return f"a kernel cannot be given {config.frames} frames only"
    if _forks_withheld(operations):
        return "a child that pages were withheld from by dontfork forks; fork passes over what it was given instead"
    gets: list[bool] = []
    whole = range(last_page(operations) + 1)
    for operation in operations:
        for ability in sorted(needs(operation)):
            if abilities[ability]:
                return f"{operation.op} needs {ability}: {abilities[ability]}"
        if getattr(operation, "cpu", 0) >= cpus:
            return f"{operation.op} needs {getattr(operation, 'cpu', 0) + 1} CPUs, the agent may run on {cpus}"
        if isinstance(operation, Get | Pin):
            gets.append(isinstance(operation, Get))
        if isinstance(operation, DeviceWrite) and gets[operation.reference]:
            return "device_write through a get: a pipe cannot be written through"
        if isinstance(operation, Protect) and operation.tracked and list(operation.pages) != list(whole):
            return f"tracked protect: clear_refs clears the marks of a whole process; name pages 0 to {whole[-1]}"
        if isinstance(operation, PageOut):
            if swap != config.swap:
                return f"page_out goes to a {swap} swap device, not to a {config.swap} one"
            if not one_run(operation.pages):
                return "page_out of pages that are not one ascending run: each run is a call, which drains anew"
    return ""


def last_page(operations: Sequence[Operation]) -> int:
    """Return the largest page that a program names; -1 if none."""
    batches = [operation.pages for operation in operations if hasattr(operation, "pages")]
    return max((int(np.max(pages)) for pages in batches if len(pages)), default=-1)


def _forks_withheld(operations: Sequence[Operation]) -> bool:
    """Tell whether a process forks that was forked from one with MADV_DONTFORK pages.

    It has new memory there; of such memory fork copies page tables only once it was written.
    """
    marked: list[bool] = []
    withheld: list[bool] = []
    for operation in operations:
        if isinstance(operation, Dontfork):
            marked[operation.process] = True
        if isinstance(operation, Fork) and withheld[operation.process]:
            return True
        if isinstance(operation, Exec):
            marked[operation.process] = withheld[operation.process] = False
        if isinstance(operation, Fork | Spawn):
            withheld.append(isinstance(operation, Fork) and marked[operation.process])
            marked.append(False)
    return False
