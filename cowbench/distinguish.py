"""What is the difference between two rules? A shortest program on which two policies differ in what can be seen.

All programs over a small alphabet (see alphabet.py) are gone through, the shorter ones first; of those that lead both
policies into a state that a program before led them into, only the first is continued. When half of the budget is
spent without a difference, longer random programs over the same alphabet are tried instead; of the first few that tell
the policies apart, shrunk, the shortest is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cowbench.abilities import ABILITIES, Ability
from cowbench.alphabet import FOCUS, START, continuations
from cowbench.compare import Difference, first_difference
from cowbench.errors import ProgramError
from cowbench.expected import expect
from cowbench.generator import shrink
from cowbench.machine import MachineConfig, Pages
from cowbench.observation import Observation
from cowbench.operations import Operation
from cowbench.pair import Pair
from cowbench.policy import Policy

BUDGET = 16_000
"""Programs tried unless told otherwise: some twenty seconds."""
RANDOM_LENGTH, RANDOM_FINDS = 12, 3
SMALL = MachineConfig(frames=512)
"""A machine that is quick to make, with frames enough for every program over the alphabet."""

Program = tuple[Operation, ...]


@dataclass(frozen=True)
class Distinction:
    """A program on which two policies differ after its last operation, and what is seen of each."""

    program: Program
    first: Observation
    second: Observation
    difference: Difference


@dataclass
class Search:
    """The outcome of a search. tried: programs carried out. length: no program over the alphabet up to it differs."""

    found: Distinction | None = None
    tried: int = 0
    length: int = 0

    def proof(self) -> str:
        """Say how short a program could still be."""
        if self.found is not None and len(self.found.program) == self.length + 1:
            return "none over the alphabet is shorter"
        return f"none over the alphabet of up to {self.length} operations tells them apart"


def distinguish(
    first: Policy,
    second: Policy,
    abilities: Iterable[Ability] = ABILITIES,
    *,
    budget: int = BUDGET,
    names: tuple[str, str] = ("first", "second"),
    config: MachineConfig = SMALL,
    seed: int = 0,
) -> Search:
    """Search a shortest program on which two policies differ in what can be seen, within the alphabet.

    abilities: what the machine can stage that the program is meant for. budget: most programs to try. names: what
    the policies are called in words. The search is a function of its arguments alone.
    """
    both = _Both((first, second), config, names)
    search, wanted = Search(length=len(START)), frozenset(abilities)
    program = _systematic(both, wanted, budget // 2, search) or _random(both, wanted, budget, search, seed)
    if program is not None:
        search.found = both.distinction(program)
    return search


@dataclass(frozen=True)
class _Both:
    policies: tuple[Policy, Policy]
    config: MachineConfig
    names: tuple[str, str]

    def start(self) -> Pair:
        return Pair(self.policies, self.config)

    def difference(self, program: Sequence[Operation]) -> Difference | None:
        seen = [expect(policy, self.config, program) for policy in self.policies]
        return first_difference(program, seen[0], seen[1], self.names)

    def distinction(self, program: Program) -> Distinction:
        difference = self.difference(program)
        assert difference is not None
        seen = [expect(policy, self.config, program) for policy in self.policies]
        return Distinction(program, seen[0], seen[1], difference)


@dataclass
class _Layer:
    """Programs of one length over one set of pages, each leading to a state of its own."""

    pages: Pages
    programs: list[Program] = field(default_factory=lambda: [START])
    known: set[bytes] = field(default_factory=set)


def _systematic(both: _Both, abilities: frozenset[Ability], budget: int, search: Search) -> Program | None:
    """Go through all programs, the shorter ones first, until one differs, none is left or the budget is spent."""
    layers = [_Layer(pages) for pages in FOCUS]
    while any(layer.programs for layer in layers):
        for layer in layers:
            programs, layer.programs = layer.programs, []
            for program, pair in _longer(both, programs, layer.pages, abilities):
                if search.tried == budget:
                    return None
                search.tried += 1
                if pair.differs:
                    return program
                state = pair.state()
                if state not in layer.known:
                    layer.known.add(state)
                    layer.programs.append(program)
        search.length += 1
    return None


def _longer(
    both: _Both, programs: Iterable[Program], pages: Pages, abilities: frozenset[Ability]
) -> Iterator[tuple[Program, Pair]]:
    """Continue programs by every operation that can follow."""
    for program in programs:
        pair = both.start()
        for operation in program:
            pair.apply(operation)
        frozen = pair.freeze()
        for operation in continuations(program, pages, abilities):
            following = frozen.thaw()
            following.apply(operation)
            yield (*program, operation), following


def _random(both: _Both, abilities: frozenset[Ability], budget: int, search: Search, seed: int) -> Program | None:
    """Try random programs until a few differ; return the shortest of these, shrunk."""
    rng = np.random.default_rng(seed)
    found: list[Program] = []

    def fails(program: list[Operation]) -> bool:
        search.tried += 1
        try:
            return both.difference(program) is not None
        except ProgramError:  # it lost the process it names
            return False

    while search.tried < budget and len(found) < RANDOM_FINDS:
        search.tried += 1
        program = _random_program(both, abilities, rng)
        if program is not None:
            found.append(tuple(shrink(list(program), fails)))
    return min(found, key=len, default=None)


def _random_program(both: _Both, abilities: frozenset[Ability], rng: np.random.Generator) -> Program | None:
    """Return a random program up to the operation after which the policies differ, None if they never do."""
    pages = FOCUS[int(rng.integers(len(FOCUS)))]
    program, pair = START, both.start()
    pair.apply(START[0])
    while len(program) < RANDOM_LENGTH:
        choices = list(continuations(program, pages, abilities))
        if not choices:
            return None
        program = (*program, choices[int(rng.integers(len(choices)))])
        pair.apply(program[-1])
        if pair.differs:
            return program
    return None
