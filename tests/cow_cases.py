"""The 14 anonymous cases of tools/testing/selftests/mm/cow.c (v6.19, `anon_test_cases`), in the words of a Machine.

Each runs on one page, and again with the page swapped out first. workloads/cow.jsonl is their recording:
`python -m tests.cow_cases` writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from cowbench.machine import Machine, MachineConfig, Process
from cowbench.operations import Operation, Recorder, encode, write_header
from tests.workload_probe import Probe

PROGRAM = Path(__file__).parents[1] / "workloads" / "cow.jsonl"
PAGE = range(1)


def basic(m: Machine, p: Process, *, mprotect: bool = False) -> None:
    """1, 2: basic COW after fork, with the mprotect optimisation."""
    c = m.fork(p)
    m.read(c, PAGE)
    if mprotect:
        m.protect(p, PAGE)
    m.write(p, PAGE)
    m.read(c, PAGE)
    m.exit(c)


def vmsplice_in_child(m: Machine, p: Process, *, mprotect: bool = False) -> None:
    """3, 4: vmsplice and unmap in the child, with the mprotect optimisation."""
    c = m.fork(p)
    m.read(c, PAGE)
    pipe = m.get(c, PAGE, coherent=False)
    m.discard(c, PAGE)
    if mprotect:
        m.protect(p, PAGE)
    m.write(p, PAGE)
    m.device_read(pipe)
    m.release(pipe)
    m.exit(c)


def vmsplice_in_parent(m: Machine, p: Process, *, before_fork: bool) -> None:
    """5, 6: vmsplice in the parent before or after fork, unmap in the parent after it."""
    m.read(p, PAGE)
    if before_fork:
        pipe = m.get(p, PAGE, coherent=False)
    c = m.fork(p)
    if not before_fork:
        pipe = m.get(p, PAGE, coherent=False)
    m.discard(p, PAGE)
    m.write(c, PAGE)
    m.exit(c)
    m.device_read(pipe)
    m.release(pipe)


def fixed_buffer(m: Machine, p: Process, *, fork: bool) -> None:
    """7, 8: an io_uring fixed buffer, then mapped read-only with soft-dirty tracking, or forked."""
    buffer = m.pin(p, PAGE, write=True, longterm=True)
    if fork:
        c = m.fork(p)
    else:
        m.protect(p, PAGE, tracked=True)
    m.write(p, PAGE)
    m.device_read(buffer)
    m.release(buffer)
    if fork:
        m.exit(c)


def read_only_pin(m: Machine, p: Process, *, page: str) -> None:
    """9 to 14: a read-only long-term pin on a read-only page: shared, previously shared, exclusive."""
    if page == "exclusive":
        m.protect(p, PAGE, tracked=True)
    else:
        c = m.fork(p)
    if page == "previously shared":
        m.exit(c)
    pin = m.pin(p, PAGE, write=False, longterm=True)
    m.write(p, PAGE)
    m.device_read(pin)
    m.release(pin)
    if page == "shared":
        m.exit(c)


Case = Callable[[Machine, Process], None]
CASES: dict[int, Case] = {
    1: basic,
    2: lambda m, p: basic(m, p, mprotect=True),
    3: vmsplice_in_child,
    4: lambda m, p: vmsplice_in_child(m, p, mprotect=True),
    5: lambda m, p: vmsplice_in_parent(m, p, before_fork=True),
    6: lambda m, p: vmsplice_in_parent(m, p, before_fork=False),
    7: lambda m, p: fixed_buffer(m, p, fork=False),
    8: lambda m, p: fixed_buffer(m, p, fork=True),
    9: lambda m, p: read_only_pin(m, p, page="shared"),
    10: lambda m, p: read_only_pin(m, p, page="shared"),
    11: lambda m, p: read_only_pin(m, p, page="previously shared"),
    12: lambda m, p: read_only_pin(m, p, page="previously shared"),
    13: lambda m, p: read_only_pin(m, p, page="exclusive"),
    14: lambda m, p: read_only_pin(m, p, page="exclusive"),
}
"""By number. The pairs 9/10, 11/12 and 13/14 are slow GUP and GUP-fast, which a Machine does not tell apart."""


def run_case(machine: Machine, number: int, *, swapped: bool) -> None:
    """Run one case in a process of its own, which has written the page."""
    process = machine.spawn()
    machine.write(process, PAGE)
    if swapped:
        machine.page_out(process, PAGE, drop=True)
    CASES[number](machine, process)
    machine.exit(process)


def program() -> list[Operation]:
    """Return the operations of all cases, each in memory and then swapped out."""
    operations: list[Operation] = []
    machine = Recorder(Probe(), operations.append)
    for number in CASES:
        for swapped in (False, True):
            run_case(machine, number, swapped=swapped)
    return operations


def text() -> str:
    """Return the program file."""
    stream = StringIO()
    write_header(stream, MachineConfig())
    stream.writelines(json.dumps(encode(operation)) + "\n" for operation in program())
    return stream.getvalue()


if __name__ == "__main__":
    PROGRAM.write_text(text(), encoding="utf-8")
