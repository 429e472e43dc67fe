"""Golden vectors: programs whose copies, losses and leaks were measured on a real kernel of each era.

V1 to V51 were run on 5.7.14 without its forced break (E0), 5.7.14 (E1), 5.9.1 (E2a), 5.17-rc5 (E2b), 5.18.12 (E3),
5.19.0 (E4), 6.12.0 (E5) and 6.19.0 (E6), the torn snapshot from 5.9.1 on;
W1 to W8 (policies that no kernel has) are derived from the rules.

A cell reads "copies/false positives", then P if a coherent reference was lost, then L if something leaked.
Processes are named by handle: 0 is P, children follow in order of fork. P writes pages 0 to n-1 first; unless the
program is unsettled, every LRU batch is drained then. Swap is asynchronous and page_out ends with the page dropped
from the swap cache unless a reference keeps it there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cowbench.machine import During, MachineConfig, Process, Reference
from cowbench.operations import (
    DeviceRead,
    Discard,
    Drain,
    Exit,
    Fork,
    Get,
    Move,
    Operation,
    PageOut,
    Pin,
    Protect,
    Read,
    Release,
    Spawn,
    Stage,
    Write,
)

COLUMNS = ("E0", "E1", "E2a", "E2b", "E3", "E4", "E5", "E6")
POLICY_COLUMNS = ("page_count", "has_pinned", "longterm_only", "pin_counter", "eager_copy", "always_reuse", "oracle")

Spec = tuple[str, dict[str, Any]]
SPECS: dict[str, tuple[Spec, ...]] = {
    "E0": (("mapcount", {}),),
    "E1": (("forced_cow", {}),),
    "E2a": (("has_pinned", {"variant": "5.9"}),),
    "E2b": (("has_pinned", {"variant": "5.11"}), ("has_pinned", {"variant": "5.17"})),
    "E3": (("page_count_5_18", {}),),
    "E4": (("anon_exclusive", {"kernel": "5.19"}), ("anon_exclusive", {"kernel": "6.1"})),
    "E5": (("anon_exclusive", {"kernel": "6.6"}), ("anon_exclusive", {"kernel": "6.12"})),
    "E6": (("anon_exclusive", {"kernel": "6.19"}),),
    **{name: ((name, {}),) for name in POLICY_COLUMNS},
}
"""Column -> the policies (name, parameters) that must give it."""

DISK = MachineConfig()
SYNCHRONOUS = MachineConfig(swap="synchronous")
STABLE = MachineConfig(stable_writes=True)

Program = list[Operation]


@dataclass(frozen=True)
class Vector:
    """One golden program and what it must give in each column.

    causes, sites: cause of its false positives, site of its copies, where all of a cell's are of one kind.
    moves: handles of the processes whose page leads to another frame than before (a child's: than its parent's), by a
    copy. faults: write and read faults of the last `tail` operations. failures: forks that fail.
    """

    name: str
    program: Program
    expected: dict[str, str]
    config: MachineConfig = DISK
    causes: dict[str, str] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    moves: dict[str, set[int]] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    tail: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    torn: dict[str, int] = field(default_factory=dict)


def per_column(text: str, columns: tuple[str, ...] = COLUMNS) -> dict[str, str]:
    """Read "1/0 | 2/1 P | ..." in the order of `columns`; a single cell stands for all."""
    cells = [cell.strip() for cell in text.split("|")]
    if len(cells) == 1:
        cells *= len(columns)
    return dict(zip(columns, cells, strict=True))


def everywhere(value: Any, *columns: str) -> dict[str, Any]:
    """Give `value` to each of `columns`; none named: to every era."""
    return dict.fromkeys(columns or COLUMNS, value)


E0_E1, E2, E2_E3 = ("E0", "E1"), ("E2a", "E2b"), ("E2a", "E2b", "E3")
E3_UP, E2_UP, E4_UP = COLUMNS[4:], COLUMNS[2:], COLUMNS[5:]


def writes(process: int, *pages: int) -> Write:
    """Write single pages, in order."""
    return Write(Process(process), np.array(pages))


def fresh(n: int) -> Program:
    """Spawn P, which writes n pages; nothing is drained."""
    return [Spawn(), Write(Process(0), range(n))]


def settled(n: int) -> Program:
    """Spawn P, which writes n pages; all batches are drained."""
    return [*fresh(n), *drained()]


def drained() -> Program:
    """Drain every CPU."""
    return [Drain(0), Drain(1)]


def fork(process: int = 0, **options: Any) -> Fork:
    return Fork(Process(process), **options)


def leave(process: int) -> Exit:
    return Exit(Process(process))


def write(process: int, n: int = 1) -> Write:
    """Write pages 0 to n-1."""
    return Write(Process(process), range(n))


def read(process: int) -> Read:
    return Read(Process(process), range(1))


def pin(process: int, n: int = 1, **options: Any) -> Pin:
    """Pin pages 0 to n-1."""
    return Pin(Process(process), range(n), **options)


def get_io(process: int) -> Get:
    """Take a coherent FOLL_GET of page 0 for writing, as O_DIRECT did."""
    return Get(Process(process), range(1), write=True, coherent=True)


def snap(process: int) -> Get:
    """Take a snapshot FOLL_GET of page 0, as vmsplice does."""
    return Get(Process(process), range(1), write=False, coherent=False)


def page_out(process: int = 0) -> PageOut:
    return PageOut(Process(process), range(1), drop=True)


def writing_back() -> Program:
    """Page out and catch the page while it is under writeback."""
    return [PageOut(Process(0), range(1)), Stage(Process(0), range(1), "writeback", True)]


def locked() -> Stage:
    return Stage(Process(0), range(1), "locked", True)


def protect(*, tracked: bool = False) -> Protect:
    return Protect(Process(0), range(1), tracked=tracked)


def seen_by_device(reference: int = 0) -> DeviceRead:
    return DeviceRead(Reference(reference))


def first_touches(n: int) -> Program:
    """n unsettled pages; a child comes and goes on CPU 1; all are written again."""
    return [*fresh(n), fork(), Move(Process(1), 1), leave(1), write(0, n)]


def once_pinned_forever_forked(*, longterm: bool) -> Program:
    """V30: pin and release, then 1024 forks whose children all stay."""
    return [*settled(1), pin(0, longterm=longterm), Release(Reference(0)), *[fork() for _ in range(1024)]]


def spawning_with_buffers(*, longterm: bool = False) -> Program:
    """V49: 4 of 10 pages pinned; three children come and go, P writes everything after each."""
    rounds: Program = []
    for child in (1, 2, 3):
        rounds += [fork(), leave(child), *drained(), write(0, 10)]
    return [*settled(10), pin(0, 4, longterm=longterm), *rounds]


def buffer_and_child(*, longterm: bool = False) -> Program:
    """V28: two pages pinned, child and then parent write page 0."""
    return [*settled(2), pin(0, 2, longterm=longterm), fork(), write(1), write(0)]


def get_then_child_gone() -> Program:
    return [*settled(1), get_io(0), fork(), leave(1), write(0)]


def many_gets(n: int) -> Program:
    return [*settled(1), *[get_io(0) for _ in range(n)], page_out(), read(0), write(0)]


def foreign_pipe(*, read_first: bool) -> Program:
    """V41, V42: the child's vmsplice outlives its mapping while P's page goes through swap."""
    touch = [read(0)] if read_first else []
    gone = [*drained(), Discard(Process(1), range(1)), page_out()]
    return [*settled(1), fork(), snap(1), *gone, *touch, write(0)]


def failing_fork(*first: Operation) -> Program:
    """V35, V36: page 1 of 3 pinned; the only early copy of the fork fails."""
    return [*settled(3), *first, Pin(Process(0), range(1, 2)), fork(fail_at=1), writes(0, 0), writes(0, 2)]


ERAS: list[Vector] = [
    Vector(
        "V1",
        [*settled(8), fork(), write(1, 8), write(0, 8)],
        per_column("8/0"),
        moves=everywhere({1}),
        sites=everywhere("write_fault"),
    ),
    Vector(
        "V2",
        [*settled(1), fork(), fork(), fork(), write(1), write(2), write(3), write(0)],
        per_column("3/0"),
        moves=everywhere({1, 2, 3}),
        sites=everywhere("write_fault"),
    ),
    Vector(
        "V3",
        [*settled(8), fork(), fork(), leave(1), write(2, 8), write(0, 8)],
        per_column("8/0"),
        moves=everywhere({2}),
        sites=everywhere("write_fault"),
    ),
    Vector("V4", [*settled(8), fork(), leave(1), write(0, 8)], per_column("0/0"), moves=everywhere(set())),
    Vector(
        "V5",
        first_touches(20),
        per_column("0/0 | 0/0 | 5/5 | 5/5 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("lru_batch_local", *E2),
        moves=everywhere({0}, *E2),
        sites=everywhere("write_fault", *E2),
    ),
    Vector(
        "V6",
        first_touches(14),
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("lru_batch_local", *E2),
        moves=everywhere({0}, *E2),
    ),
    Vector(
        "V7 n=12",
        first_touches(12),
        per_column("0/0 | 0/0 | 3/3 | 3/3 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("lru_batch_local", *E2),
        moves=everywhere({0}, *E2),
    ),
    Vector(
        "V7 n=8",
        first_touches(8),
        per_column("0/0 | 0/0 | 7/7 | 7/7 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("lru_batch_local", *E2),
        moves=everywhere({0}, *E2),
    ),
    Vector("V7 n=15", first_touches(15), per_column("0/0")),
    Vector("V8", [*fresh(20), fork(), leave(1), write(0, 20)], per_column("0/0")),
    Vector(
        "V9",
        [*fresh(1), Move(Process(0), 1), fork(), leave(1), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 1/1 | 1/1 | 1/1 | 1/1"),
        causes=everywhere("lru_batch_remote", *E2_UP),
        moves=everywhere({0}, *E2_UP),
    ),
    Vector(
        "V10",
        [*fresh(1), Move(Process(0), 1), fork(), Move(Process(1), 0), leave(1), write(0)],
        per_column("0/0 | 0/0 | 0/0 | 0/0 | 0/0 | 0/0 | 0/0 | 1/1"),
        causes={"E6": "lru_batch_remote"},
        moves={"E6": {0}},
    ),
    Vector(
        "V11",
        [*fresh(1), protect(), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("lru_batch_local", *E2),
        moves=everywhere({0}, *E2),
    ),
    Vector(
        "V12",
        [*settled(1), protect(tracked=True), locked(), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("lock", *E2_E3),
        moves=everywhere({0}, *E2_E3),
        faults=everywhere(1),
        tail=1,
    ),
    Vector(
        "V13",
        [*settled(1), fork(), leave(1), locked(), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 1/1 | 1/1 | 1/1 | 1/1"),
        causes=everywhere("lock", *E2_UP),
        moves=everywhere({0}, *E2_UP),
    ),
    Vector("V14", [*settled(1), page_out(), write(0)], per_column("0/0"), faults=everywhere(1), tail=1),
    Vector(
        "V15",
        [*settled(1), page_out(), read(0), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("swap_cache", *E2),
        sites=everywhere("write_fault", *E2),
        moves=everywhere({0}, *E2),
    ),
    Vector(
        "V16",
        [*settled(1), page_out(), read(0), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0 | 0/0"),
        SYNCHRONOUS,
        causes=everywhere("lru_batch_local", *E2),
        moves=everywhere({0}, *E2),
    ),
    Vector("V17", [*settled(1), page_out(), read(0), *drained(), write(0)], per_column("0/0"), SYNCHRONOUS),
    Vector(
        "V18",
        [*settled(1), page_out(), read(0), fork(), leave(1), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("swap_cache", *E2),
        moves=everywhere({0}, *E2),
    ),
    Vector(
        "V19",
        [*settled(1), page_out(), fork(), write(0), read(1)],
        per_column("1/0"),
        sites=everywhere("swap_in"),
        moves=everywhere({0}),
    ),
    Vector("V20", [*settled(1), page_out(), fork(), leave(1), write(0)], per_column("0/0")),
    Vector(
        "V21",
        [*settled(1), *writing_back(), write(0)],
        per_column("0/0 | 0/0 | 0/0 | 0/0 | 1/1 | 0/0 | 0/0 | 0/0"),
        causes={"E3": "writeback"},
        sites={"E3": "swap_in"},
        moves={"E3": {0}},
    ),
    Vector(
        "V22",
        [*settled(1), *writing_back(), write(0)],
        per_column("1/1"),
        STABLE,
        causes=everywhere("writeback_device"),
        sites=everywhere("swap_in"),
        moves=everywhere({0}),
    ),
    Vector(
        "V23",
        [*settled(1), *writing_back(), read(0), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("writeback", *E2_E3),
        moves=everywhere({0}, *E2_E3),
    ),
    Vector(
        "V24",
        [*settled(1), get_io(0), page_out(), write(0)],
        per_column("0/0 | 0/0 | 0/0 | 0/0 | 1/1 P | 0/0 | 0/0 | 0/0"),
        causes={"E3": "own_reference"},
        sites={"E3": "swap_in"},
        moves={"E3": {0}},
    ),
    Vector(
        "V25",
        [*settled(1), get_io(0), page_out(), read(0), write(0)],
        per_column("0/0 | 0/0 | 1/1 P | 1/1 P | 1/1 P | 0/0 | 0/0 | 0/0"),
        causes=everywhere("own_reference", *E2_E3),
        moves=everywhere({0}, *E2_E3),
    ),
    Vector(
        "V26",
        get_then_child_gone(),
        per_column("0/0 | 0/0 | 1/1 P | 1/1 P | 1/1 P | 1/1 P | 1/1 P | 1/1 P"),
        causes=everywhere("own_reference", *E2_UP),
        moves=everywhere({0}, *E2_UP),
    ),
    Vector(
        "V27",
        [*settled(1), get_io(0), fork(), write(1), write(0)],
        per_column("1/0 | 1/0 | 2/1 P | 2/1 P | 2/1 P | 2/1 P | 2/1 P | 2/1 P"),
        causes=everywhere("own_reference", *E2_UP),
        moves={**everywhere({1}, *E0_E1), **everywhere({0, 1}, *E2_UP)},
    ),
    Vector(
        "V28",
        buffer_and_child(),
        per_column("1/0 | 1/0 | 2/0 | 2/0 | 2/0 | 2/0 | 2/0 | 2/0"),
        sites={**everywhere("write_fault", *E0_E1), **everywhere("fork", *E2_UP)},
        moves=everywhere({1}),
        faults=everywhere(0, *E2_UP),
        tail=2,
    ),
    Vector(
        "V29",
        [*settled(1), pin(0), Release(Reference(0)), fork(), write(0)],
        per_column("1/0"),
        sites=everywhere("write_fault"),
        moves=everywhere({0}),
    ),
    Vector(
        "V30",
        once_pinned_forever_forked(longterm=False),
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 1/1 | 0/0 | 0/0 | 0/0"),
        causes=everywhere("sticky_bit", *E2_E3),
        sites=everywhere("fork", *E2_E3),
        moves=everywhere({1024}, *E2_E3),
    ),
    Vector(
        "V31",
        [*settled(1), fork(), pin(0), write(0), seen_by_device()],
        per_column("1/0"),
        sites=everywhere("pin"),
        moves=everywhere({0}),
    ),
    Vector(
        "V32",
        [*settled(1), fork(), pin(1, write=False), leave(0), write(1), seen_by_device()],
        per_column("0/0 | 1/0 | 1/1 P | 1/1 P | 1/1 P | 1/0 | 1/0 | 1/0"),
        causes=everywhere("own_reference", *E2_E3),
        sites={**everywhere("pin", "E1", *E4_UP), **everywhere("write_fault", *E2_E3)},
        moves=everywhere({1}, *COLUMNS[1:]),
    ),
    Vector(
        "V33",
        [*settled(1), fork(), leave(1), snap(0), write(0)],
        per_column("0/0 | 0/0 | 1/1 | 1/1 | 1/1 | 1/1 | 1/1 | 1/1"),
        causes=everywhere("own_reference", *E2_UP),
        moves=everywhere({0}, *E2_UP),
        faults={"E1": 0},
        tail=1,
    ),
    Vector(
        "V34",
        [*settled(1), fork(), snap(0), write(0)],
        per_column("1/0"),
        sites={**everywhere("write_fault"), "E1": "pin"},
        moves=everywhere({0}),
    ),
    Vector(
        "V35",
        failing_fork(),
        per_column("2/0 | 2/0 | 0/0 | 0/0 | 0/0 | 0/0 | 0/0 | 0/0"),
        faults=everywhere(1, *E2_UP),
        tail=2,
        failures={**everywhere(0, *E0_E1), **everywhere(1, *E2_UP)},
    ),
    Vector(
        "V36",
        failing_fork(get_io(0)),
        per_column("2/0 P | 2/0 P | 1/1 P | 1/1 P | 1/1 P | 1/1 P | 1/1 P | 1/1 P"),
        causes=everywhere("own_reference", *E2_UP),
        moves=everywhere({0}),
        failures={**everywhere(0, *E0_E1), **everywhere(1, *E2_UP)},
    ),
    Vector(
        "V37",
        [Spawn(), read(0), pin(0, write=False, longterm=True), write(0), seen_by_device()],
        per_column("0/0 P | 0/0 | 0/0 P | 0/0 P | 0/0 P | 0/0 P | 0/0 | 0/0"),
    ),
    Vector(
        "V38",
        [Spawn(), read(0), pin(0, write=False), write(0), seen_by_device()],
        per_column("0/0 P | 0/0 | 0/0 P | 0/0 P | 0/0 P | 0/0 P | 0/0 P | 0/0 P"),
    ),
    Vector(
        "V39",
        [*settled(1), pin(0), fork(), *drained(), fork(1), write(2)],
        per_column("1/0 | 1/0 | 2/0 | 2/0 | 2/0 | 2/0 | 2/0 | 2/0"),
        moves={**everywhere({2}, *E0_E1), **everywhere({1, 2}, *E2_UP)},
    ),
    Vector(
        "V40",
        [*settled(1), pin(0), fork(), leave(0), write(1), seen_by_device()],
        per_column("0/0 L | 0/0 L | 1/0 | 1/0 | 1/0 | 1/0 | 1/0 | 1/0"),
        sites=everywhere("fork", *E2_UP),
        moves=everywhere({1}, *E2_UP),
    ),
    Vector(
        "V41",
        foreign_pipe(read_first=False),
        per_column("0/0 L | 1/0 | 0/0 L | 0/0 L | 1/0 | 1/0 | 1/0 | 1/0"),
        sites={"E1": "pin", **everywhere("swap_in", *E3_UP)},
        moves={"E1": {1}, **everywhere({0}, *E3_UP)},
    ),
    Vector(
        "V42",
        foreign_pipe(read_first=True),
        per_column("0/0 L | 1/0 | 1/0 | 1/0 | 1/0 | 1/0 | 1/0 | 1/0"),
        sites={"E1": "pin", **everywhere("write_fault", *E2_UP)},
        moves={"E1": {1}, **everywhere({0}, *E2_UP)},
    ),
    Vector(
        "V43",
        [*settled(1), fork(), fork(), snap(1), *drained(), leave(1), leave(0), write(2)],
        per_column("0/0 L | 1/0 | 1/0 | 1/0 | 1/0 | 1/0 | 1/0 | 1/0"),
        sites={"E1": "pin", **everywhere("write_fault", *E2_UP)},
        moves={"E1": {1}, **everywhere({2}, *E2_UP)},
    ),
    Vector(
        "V44",
        [*settled(1), pin(0), page_out(), read(0), write(0), seen_by_device()],
        per_column("0/0 | 0/0 | 1/1 P | 0/0 | 0/0 | 0/0 | 0/0 | 0/0"),
        causes={"E2a": "own_reference"},
        moves={"E2a": {0}},
        faults=everywhere(0, *COLUMNS[3:]),
        tail=3,
    ),
    Vector("V45", many_gets(1022), per_column("0/0 | 0/0 | 1/1 P | 0/0 | 0/0 | 0/0 | 0/0 | 0/0"), moves={"E2a": {0}}),
    Vector(
        "V46",
        many_gets(1021),
        per_column("0/0 | 0/0 | 1/1 P | 1/1 P | 1/1 P | 0/0 | 0/0 | 0/0"),
        moves=everywhere({0}, *E2_E3),
        faults=everywhere(0, *E4_UP),
        tail=2,
    ),
    Vector(
        "V47",
        [*settled(1), fork(), page_out(), write(0)],
        per_column("1/0"),
        sites=everywhere("write_fault"),
        moves=everywhere({0}),
    ),
    Vector(
        "V48",
        [*settled(1), fork(), leave(1), pin(0, write=False), fork(), write(0), seen_by_device()],
        per_column("1/0 P | 1/0 P | 2/1 P | 2/1 P | 2/1 P | 1/0 | 1/0 | 1/0"),
        causes=everywhere("own_reference", *E2_E3),
        moves={**everywhere({0}, *E0_E1), **everywhere({0, 2}, *E2_E3), **everywhere({2}, *E4_UP)},
    ),
    Vector(
        "V49",
        spawning_with_buffers(),
        per_column("0/0 | 0/0 | 12/0 | 12/0 | 12/0 | 12/0 | 12/0 | 12/0"),
        sites=everywhere("fork", *E2_UP),
        moves=everywhere({1, 2, 3}, *E2_UP),
    ),
    Vector(
        "V50",
        [*settled(1), pin(0), Discard(Process(0), range(1)), write(0), seen_by_device()],
        per_column("0/0"),
    ),
    Vector(
        "V51",
        [
            *[*settled(1), pin(0), Release(Reference(0)), fork(), write(1), *drained()],
            *[snap(1) for _ in range(1023)],
            fork(1),
        ],
        per_column("1/0"),
        sites=everywhere("write_fault"),
        moves=everywhere({1}),
    ),
]
"""V1 to V51 over the eight eras. V10's remark about 6.14 is derived only and left out."""


def of_policies(text: str) -> dict[str, str]:
    """Read a row of the policy table."""
    return per_column(text, POLICY_COLUMNS)


POLICIES: list[Vector] = [
    Vector("W1", buffer_and_child(), of_policies("2/1 P | 2/0 | 2/1 P | 2/0 | 2/0 | 0/0 L | 2/0")),
    Vector("W2", buffer_and_child(longterm=True), of_policies("2/1 P | 2/0 | 2/0 | 2/0 | 2/0 | 0/0 L | 2/0")),
    Vector(
        "W3",
        once_pinned_forever_forked(longterm=False),
        of_policies("0/0 | 1/1 | 0/0 | 0/0 | 1024/1024 | 0/0 | 0/0"),
        causes={"has_pinned": "sticky_bit", "eager_copy": "policy"},
    ),
    Vector(
        "W4",
        once_pinned_forever_forked(longterm=True),
        of_policies("0/0 | 1/1 | 1/1 | 0/0 | 1024/1024 | 0/0 | 0/0"),
        causes={**everywhere("sticky_bit", "has_pinned", "longterm_only"), "eager_copy": "policy"},
    ),
    Vector(
        "W5",
        [*settled(8), fork(), leave(1), write(0, 8)],
        of_policies("0/0 | 0/0 | 0/0 | 0/0 | 8/8 | 0/0 | 0/0"),
        causes={"eager_copy": "policy"},
    ),
    Vector(
        "W6",
        [*settled(8), fork(), write(1, 8), write(0, 8)],
        of_policies("8/0 | 8/0 | 8/0 | 8/0 | 8/8 | 0/0 L | 8/0"),
        causes={"eager_copy": "policy"},
    ),
    Vector(
        "W7",
        get_then_child_gone(),
        of_policies("1/1 P | 1/1 P | 1/1 P | 1/1 P | 1/0 | 0/0 | 1/0"),
        sites={**everywhere("write_fault", *POLICY_COLUMNS[:4]), "oracle": "fork"},
    ),
    Vector(
        "W8",
        spawning_with_buffers(),
        of_policies("4/4 P | 12/0 | 4/4 P | 12/0 | 30/18 | 0/0 | 12/0"),
        causes={**everywhere("own_reference", "page_count", "longterm_only"), "eager_copy": "policy"},
    ),
    Vector(
        "W8 longterm",
        spawning_with_buffers(longterm=True),
        of_policies("4/4 P | 12/0 | 12/0 | 12/0 | 30/18 | 0/0 | 12/0"),
    ),
]
"""W1 to W8 over the policies that are no era's."""

_TORN = {**everywhere(0, *E0_E1, "page_count"), **everywhere(1, *E2_UP)}
_TORN |= everywhere(1, "has_pinned", "longterm_only", "pin_counter", "eager_copy", "oracle")

TORN = Vector(
    "torn",
    [*settled(2), pin(0, longterm=True), fork(during=(During(1, "write", range(2)),))],
    {},
    torn=_TORN,
)
"""Page 0 is pinned; another thread writes pages 0 and 1 when fork has passed 0 and not yet write-protected 1."""
