"""The search from beginning to end, in pieces that a store keeps: one for each family, one for the built-in policies.

A family is held against the cheap programs first (the cases of cow.c, then short random programs), then counted on the
workloads as far as needed, then what came out on top is held against many longer random programs; what falls there
takes with it all rules that fall alike, and the counting goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy.random import SeedSequence

from cowbench import operations as ops
from cowbench import plugins, spec
from cowbench.conformance import CASES
from cowbench.generator import random_program
from cowbench.keys import search_key
from cowbench.machine import During, MachineConfig, Process, Reference
from cowbench.operations import Operation
from cowbench.search.grammar import FAMILIES, GIB, PARTS, Family, State
from cowbench.search.outcome import Example, Found, Placed, Proposal, Standing, found_from, pack, placed_from
from cowbench.search.policy import OneRule
from cowbench.search.screening import CLASSES, REJECTED, C, Screening, losses
from cowbench.search.shipped import STATE
from cowbench.search.workloads import Copies, Costing, Point, copies, in_order
from cowbench.spec import PluginSpec

SHORT, MIDDLE = 200, 30
"""Random programs that all rules of a family are held against: of 6 operations, and of 12."""
PLACING = 300
"""Most long random programs that the built-in policies are held against."""
SMALL = MachineConfig(frames=512)
BUILT_IN = "built-in policies"
PIECES = (*(family.name for family in FAMILIES), BUILT_IN)
"""What a search is made of, in order; each needs those before it."""

Case = tuple[MachineConfig, list[Operation]]
Say = Callable[[str], None]


def piece(name: str, before: Sequence[Found], deep: int, say: Say = lambda words: None) -> Found | Placed:
    """Search one piece; `before` are the families searched before it."""
    if name == BUILT_IN:
        return Placed(place(deep, [example for found in before for example in found.examples], say), deep)
    family = next(one for one in FAMILIES if one.name == name)
    rivals = [Point(one.best, one.bits, one.needless) for found in before for one in found.front]
    return search(family, deep, rivals, say)


def key(name: str, deep: int) -> str:
    """Return the key of a piece: it changes with all that can change what is found."""
    return search_key(name, deep, [*workloads(), *(spec.parse("policy", policy) for policy in STATE)])


def proposal(texts: Mapping[str, str]) -> Proposal:
    """Put the pieces together, from the texts that a store holds. Raises KeyError for a piece that is missing."""
    return Proposal(tuple(found_from(texts[family.name]) for family in FAMILIES), placed_from(texts[BUILT_IN]))


def search(family: Family, deep: int, rivals: Sequence[Point] = (), say: Say = lambda words: None) -> Found:
    """Search one family; `deep` random programs are held against what comes out on top, `rivals` are of others."""
    screening = Screening(family)
    cheap = [*cases(), *races(), *random_cases(SHORT, 6, 16, 0), *random_cases(MIDDLE, 12, 16, 1)]
    for number, (config, program) in enumerate(cheap, start=1):
        screening.program(config, program)
        if number % 100 == 0 or number == len(cheap):
            left = int((screening.best > REJECTED).sum())
            say(f"{family.name} rules: {number} of {len(cheap)} programs, {left:,} of {family.size:,} rules left")
    costing = Costing(screening, in_order(workloads()), rivals)
    while True:
        costing.finish()
        front = costing.front()
        say(f"{family.name} rules: {len(front)} on the front after {costing.runs:,} runs of workloads")
        if _stands(screening, front, deep):
            return _told(screening, costing, front, len(cheap))


def cases() -> list[Case]:
    """Return the different cases of cow.c, in memory and swapped out, as programs."""
    different = [case for case in CASES if case.number not in (10, 12, 14)]  # GUP-fast does not differ here
    return [(SMALL, case.program(swapped=swapped)) for case in different for swapped in (False, True)]


def races() -> Iterator[Case]:
    """Yield what random programs seldom hit: references taken or held while fork or reclaim looks at the page."""
    parent, page, reference = Process(0), range(1), Reference(0)
    begin: list[Operation] = [ops.Spawn(), ops.Write(parent, range(2)), ops.Drain(0)]
    end: list[Operation] = [ops.Write(parent, range(2)), ops.DeviceWrite(reference)]
    kinds: tuple[Literal["pin", "get"], ...] = ("pin", "get")
    for kind in kinds:
        yield SMALL, [*begin, ops.Fork(parent, during=(During(0, kind, page),)), *end]
        taken = ops.Pin(parent, page) if kind == "pin" else ops.Get(parent, page, write=True)
        yield SMALL, [*begin, taken, ops.PageOut(parent, page), ops.Fork(parent), *end]
        yield SMALL, [*begin, taken, ops.Fork(parent, during=(During(1, "write", range(2)),)), *end]


def random_cases(count: int, operations: int, pages: int, stream: int) -> Iterator[Case]:
    """Yield random programs; each stream has its own."""
    for number in range(count):
        rng = np.random.default_rng(SeedSequence(0, spawn_key=(stream, number)))
        yield random_program(rng, operations=operations, pages=pages)


def deep_cases(count: int) -> Iterator[Case]:
    """Yield the programs that fronts and built-in policies are held against."""
    return random_cases(count, 30, 24, 2)


def workloads() -> list[PluginSpec]:
    """Return all built-in workloads at their defaults."""
    known = plugins.available("workload").items()
    return [spec.parse("workload", name) for name, file in known if plugins.built_in("workload", file)]


def place(deep: int, examples: Sequence[Example], say: Say = lambda words: None) -> tuple[Standing, ...]:
    """Return where the built-in policies stand: on the workloads, and held against all that rules were held against."""
    shortest = sorted(examples, key=lambda example: len(example.told))
    return tuple(_place(name, state, deep, shortest, say) for name, state in STATE.items())


def _place(name: str, state: tuple[State, ...], deep: int, examples: Sequence[Example], say: Say) -> Standing:
    say(f"built-in policies: {name}")
    parsed = spec.parse("policy", name)
    best, why = C, ""
    for config, program in [*(one.program() for one in examples), *cases(), *deep_cases(min(deep, PLACING))]:
        result = losses(parsed.build(), config, program)
        if result.best < best:
            best, why = result.best, result.words
    bits = sum(one.page * GIB + one.mm for one in state)
    counted = {one.name: copies(parsed.build(), one) for one in in_order(workloads())}
    return _counted(Standing(name, best, bits, tuple(one.words for one in state), 0, 0, why=why), counted)


def _counted(standing: Standing, counted: Mapping[str, Copies]) -> Standing:
    return replace(
        standing,
        needless=sum(one.needless for one in counted.values()),
        copies=sum(one.copies for one in counted.values()),
        by_workload=tuple(sorted((name, one.needless) for name, one in counted.items() if one.needless)),
    )


def _stands(screening: Screening, front: Sequence[int], deep: int) -> bool:
    """Hold a front against long programs; return whether every rule of it is still of its class."""
    rules = np.array(front, np.intp)
    before = screening.best[rules].copy()
    if len(rules):
        for config, program in deep_cases(deep):
            screening.program(config, program, rules)
    return bool((screening.best[rules] == before).all())


def _told(screening: Screening, costing: Costing, front: Sequence[int], programs: int) -> Found:
    """Put into data what a search came to."""
    family, best = screening.family, screening.best
    examples, killers, distinct, told_apart = _explained(screening)
    standings = []
    for number in front:
        rule = screening.rule(number)
        counted = {one.name: copies(OneRule(rule), one) for one in costing.workloads}
        plain = Standing(rule.name, int(best[number]), rule.bits, tuple(s.words for s in rule.state), 0, 0)
        standings.append(_counted(plain, counted))
    return Found(
        family.name,
        family.size,
        distinct,
        told_apart,
        {letter: int((best >= least).sum()) for least, letter in CLASSES.items()},
        {letter: _choices(screening, least) for least, letter in CLASSES.items()},
        tuple(standings),
        examples,
        pack(killers),
        (screening.runs, costing.runs),
        programs,
    )


def _choices(screening: Screening, least: int) -> dict[str, list[str]]:
    reach = screening.reach(np.flatnonzero(screening.best >= least))
    taken = dict(zip(PARTS, reach, strict=True))
    choices = screening.family.choices
    return {part: [choices[part][i].name for i in np.flatnonzero(some)] for part, some in taken.items()}


def _explained(screening: Screening) -> tuple[tuple[Example, ...], npt.NDArray[np.int16], int, int]:
    """Hold all rules against the counter-examples, the shortest first.

    Return them, for each rule the number of the first that keeps it out of class A (-1: none), and how many rules
    these programs and the cases of cow.c tell apart.
    """
    known = sorted(screening.found, key=lambda one: len(one.program))
    every = np.arange(screening.family.size)
    killers = np.full(len(every), -1, np.int16)
    alike = np.zeros(len(every), np.int64)
    programs = [*((one.config, one.program) for one in known), *cases()]
    for number, (config, program) in enumerate(programs):
        label = np.zeros(len(every), np.int64)
        for block, (_, rules, result) in enumerate(screening.outcomes(every, config, program)):
            label[rules] = block
            if number < len(known) and result.best == REJECTED:
                killers[rules[killers[rules] < 0]] = number
        alike = np.unique(alike * (int(label.max()) + 1) + label, return_inverse=True)[1]
    rejects = np.bincount(killers[killers >= 0], minlength=len(known))
    examples = tuple(Example.of(one, int(rejects[number])) for number, one in enumerate(known))
    return examples, killers, int(alike.max()) + 1, len(programs)
