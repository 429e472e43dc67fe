"""The alphabet of short programs: what can come next, of everything that a few pages and processes allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from cowbench import operations as ops
from cowbench.abilities import Ability, needs
from cowbench.machine import Pages, Process, Reference
from cowbench.operations import Operation

START: tuple[Operation, ...] = (ops.Spawn(),)
FOCUS: tuple[Pages, ...] = (range(1), range(15))
"""The pages that all operations of a program name: one, or as many as fill an LRU batch of 15 and not one of 31."""
PROCESSES, REFERENCES, CPUS = 3, 2, 2
CROWD = 1023
"""References to one page that make it look pinned, with its mapping (GUP_PIN_COUNTING_BIAS is 1024)."""


def continuations(program: Sequence[Operation], pages: Pages, abilities: frozenset[Ability]) -> Iterator[Operation]:
    """Return the operations that can follow a program, the plainest first."""
    for operation in _all(program, pages):
        if needs(operation) <= abilities:
            yield operation


def _all(program: Sequence[Operation], pages: Pages) -> Iterator[Operation]:
    processes, references = _handles(program)
    for process in processes:
        yield ops.Write(process, pages)
        yield ops.Read(process, pages)
    if len(processes) < PROCESSES:
        yield from (ops.Fork(process) for process in processes)
    yield from (ops.Exit(process) for process in processes)
    for process in processes:
        yield ops.Protect(process, pages)
        yield ops.Protect(process, pages, tracked=True)
        yield ops.Discard(process, pages)
        yield ops.PageOut(process, pages)
        yield ops.PageOut(process, pages, drop=True)
    for reference, write in references.items():
        yield ops.DeviceRead(reference)
        if write:
            yield ops.DeviceWrite(reference)
        yield ops.Release(reference)
    if len(references) < REFERENCES:
        for process in processes:
            yield from _takers(process, pages)
    for process, cpu in processes.items():
        yield from (ops.Move(process, other) for other in range(CPUS) if other != cpu)
        yield ops.Exec(process)
        yield ops.Dontfork(process, pages)
    yield from (ops.Drain(cpu) for cpu in range(CPUS))


def _takers(process: Process, pages: Pages) -> Iterator[Operation]:
    for write in (True, False):
        for longterm in (True, False):
            yield ops.Pin(process, pages, write=write, longterm=longterm)
    yield ops.Get(process, pages, write=True)
    yield ops.Get(process, pages, coherent=False)
    if len(pages) == 1:
        yield ops.Get(process, np.full(CROWD, pages[0]), coherent=False)


def _handles(program: Sequence[Operation]) -> tuple[dict[Process, int], dict[Reference, bool]]:
    """Return the live processes with their CPU, and the live references with whether they are for writing."""
    processes: dict[Process, int] = {}
    references: dict[Reference, bool] = {}
    born = taken = 0
    for operation in program:
        match operation:
            case ops.Spawn(cpu=cpu):
                processes[Process(born)] = cpu
                born += 1
            case ops.Fork(process=process):
                processes[Process(born)] = processes[process]
                born += 1
            case ops.Exit(process=process):
                del processes[process]
            case ops.Move(process=process, cpu=cpu):
                processes[process] = cpu
            case ops.Pin(write=write) | ops.Get(write=write):
                references[Reference(taken)] = write
                taken += 1
            case ops.Release(reference=reference):
                del references[reference]
    return processes, references
