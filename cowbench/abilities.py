"""What a program needs of the machine that carries it out, beyond writing, reading, forking and ending processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from cowbench import operations as ops
from cowbench.errors import ParameterError
from cowbench.operations import Operation
from cowbench.parameters import nearest

Ability = Literal[
    "swap",
    "drop",
    "long_pin",
    "short_pin",
    "read_pin",
    "read_get",
    "write_get",
    "tracked",
    "second_cpu",
    "exec",
    "dontfork",
    "simulation",
]
"""swap: page_out has an effect. drop: page_out(drop=True) takes pages past the swap cache. long_pin, short_pin: pin for
writing, long-term or not. read_pin: pin for reading. read_get, write_get: get for reading (vmsplice) and for writing.
tracked: protect with soft-dirty cleared. second_cpu: processes on other CPUs than 0, and drain of those. exec,
dontfork: these operations. simulation: stage, and fork with steps landing, failing allocations or another memcg.
"""

ABILITIES: tuple[Ability, ...] = get_args(Ability)


def needs(operation: Operation) -> frozenset[Ability]:
    """Return the abilities that an operation needs."""
    needed: set[Ability] = set()
    match operation:
        case ops.PageOut(drop=drop):
            needed |= {"swap", "drop"} if drop else {"swap"}
        case ops.Pin(write=write, longterm=longterm):
            needed.add(("long_pin" if longterm else "short_pin") if write else "read_pin")
        case ops.Get(write=write):
            needed.add("write_get" if write else "read_get")
        case ops.Protect(tracked=True):
            needed.add("tracked")
        case ops.Exec():
            needed.add("exec")
        case ops.Dontfork():
            needed.add("dontfork")
        case ops.Spawn(cpu=cpu, memcg=memcg):
            needed |= _cpu(cpu) | ({"simulation"} if memcg else set())
        case ops.Move(cpu=cpu) | ops.Drain(cpu=cpu):
            needed |= _cpu(cpu)
        case ops.Fork(during=during, fail_at=fail_at, memcg=memcg) if (
            during or fail_at is not None or memcg is not None
        ):
            needed.add("simulation")
        case ops.Stage():
            needed.add("simulation")
    return frozenset(needed)


def missing(operations: Iterable[Operation], abilities: Iterable[Ability]) -> frozenset[Ability]:
    """Return the abilities that a program needs and that are not among `abilities`."""
    return frozenset[Ability]().union(*map(needs, operations)) - frozenset(abilities)


def checked(names: Iterable[str]) -> tuple[Ability, ...]:
    """Return names as abilities. Raises ParameterError for one that is none."""
    known = {str(ability): ability for ability in ABILITIES}
    found = []
    for name in names:
        if name not in known:
            raise ParameterError(f"no ability '{name}': {nearest(name, ABILITIES)}")
        found.append(known[name])
    return tuple(found)


def _cpu(cpu: int) -> set[Ability]:
    return {"second_cpu"} if cpu else set()
