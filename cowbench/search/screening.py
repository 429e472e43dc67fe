"""Going through all rules of a family at once: a run of a program stands for all rules that answer alike in it.

A rule is of class A if no program makes it leak or lose a pin, of class B if it loses no get either, of class C if it
loses nothing that is documented as lost. A device that writes through a FOLL_GET into a page that fork shared is the
other half of a lost get, so this leak counts in class B.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cowbench.errors import OutOfFrames
from cowbench.generator import shrink
from cowbench.machine import MachineConfig
from cowbench.operations import DeviceWrite, Operation
from cowbench.policy import Policy
from cowbench.search.grammar import PARTS, Family, Rule
from cowbench.search.policy import Alike, Block, OneRule
from cowbench.simulated import SimulatedMachine
from cowbench.simulated.process import ReferenceState

REJECTED, A, B, C = range(4)
CLASSES = {A: "A", B: "B", C: "C"}
Program = Sequence[Operation]
Rules = npt.NDArray[np.intp]
"""Numbers of rules in their family."""


@dataclass(frozen=True)
class Losses:
    """What went wrong in a run. leaks: without those of devices through gets, which are `get_leaks`."""

    leaks: int = 0
    lost_pins: int = 0
    lost_gets: int = 0
    get_leaks: int = 0
    documented: int = 0
    torn: int = 0

    @property
    def best(self) -> int:
        """The best class that a rule with these losses can be of."""
        if self.leaks or self.lost_pins:
            return REJECTED
        if self.lost_gets or self.get_leaks:
            return A
        return B if self.documented or self.torn else C

    @property
    def words(self) -> str:
        """The worst of them, in words."""
        says = (
            (self.leaks, "leaks"),
            (self.lost_pins, "loses a pin"),
            (self.lost_gets, "loses a get"),
            (self.get_leaks, "lets a device write into a page that somebody else sees, through a get"),
            (self.documented, "loses a short pin of the zero page"),
            (self.torn, "tears a snapshot"),
        )
        return next((words for count, words in says if count), "loses nothing")


def losses(policy: Policy, config: MachineConfig, program: Program) -> Losses:
    """Carry a program out and return what went wrong; a shortage of frames is no error."""
    machine = SimulatedMachine(policy, config)
    ledger, get_leaks = machine.ledger, 0
    for operation in program:
        before = ledger.leaks
        try:
            operation.apply(machine)
        except OutOfFrames:
            continue
        if isinstance(operation, DeviceWrite) and ledger.leaks > before:
            reference = machine.references[operation.reference]
            if isinstance(reference, ReferenceState) and not reference.pin:
                get_leaks += ledger.leaks - before
    lost = (ledger.lost_pins, ledger.lost_gets, get_leaks, ledger.lost_pins_documented, ledger.torn_snapshots)
    return Losses(ledger.leaks - get_leaks, *lost)


@dataclass(frozen=True)
class Counterexample:
    """A program that shows why rules are not of a class, shrunk; `losses` are those of the rule it was found for."""

    rule: Rule
    config: MachineConfig
    program: tuple[Operation, ...]
    losses: Losses


@dataclass
class Screening:
    """The rules of one family, and how far each has come.

    at: uint8 (rule, part), the choices of every rule. best: int8 a rule, the best class it can still be of. found:
    counter-examples in the order in which they were found. runs: programs carried out.
    """

    family: Family
    at: npt.NDArray[np.uint8] = field(init=False)
    best: npt.NDArray[np.int8] = field(init=False)
    found: list[Counterexample] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.at = np.indices(self.family.shape, np.uint8).reshape(len(PARTS), -1).T.copy()
        self.best = np.full(self.family.size, C, np.int8)

    def program(self, config: MachineConfig, program: Program, rules: Rules | None = None) -> None:
        """Hold rules that are left (None: all) against a program; what fails is shrunk, and then held against all."""
        left = np.flatnonzero(self.best > REJECTED) if rules is None else rules[self.best[rules] > REJECTED]
        for rule, alike, result in self.outcomes(left, config, program):
            if (self.best[alike] > result.best).any():
                self._reject(config, program, rule, result)
            self.best[alike] = np.minimum(self.best[alike], result.best)

    def outcomes(self, left: Rules, config: MachineConfig, program: Program) -> Iterator[tuple[Rule, Rules, Losses]]:
        """Run a program for the rules `left`, one for all that answer alike; yield it, those, and what went wrong."""
        reach = self.reach(left)
        while len(left):
            rule = self.rule(int(left[0]))
            policy = Alike(rule, reach)
            result = losses(policy, config, program)
            self.runs += 1
            alike = self.within(left, policy.block)
            yield rule, left[alike], result
            left = left[~alike]

    def rule(self, number: int) -> Rule:
        """Return a rule by its number."""
        return Rule(self.family, tuple(self.at[number].tolist()))

    def reach(self, rules: Rules) -> Block:
        """Return for each part the choices that some of these rules take."""
        at = self.at[rules]
        return tuple(np.bincount(at[:, part], minlength=size) > 0 for part, size in enumerate(self.family.shape))

    def within(self, rules: Rules, block: Block) -> npt.NDArray[np.bool_]:
        """Return which rules combine choices of a block."""
        inside = np.ones(len(rules), np.bool_)
        for part, choices in enumerate(block):
            if not choices.all():
                inside &= choices[self.at[rules, part]]
        return inside

    def _reject(self, config: MachineConfig, program: Program, rule: Rule, result: Losses) -> None:
        """Shrink a program on which a rule fails, keep it, and lower what all rules can be by it."""
        shrunk = shorten(rule, config, program, result.best)
        final = losses(OneRule(rule), config, shrunk)
        self.found.append(Counterexample(rule, config, tuple(shrunk), final))
        for _, alike, outcome in self.outcomes(np.flatnonzero(self.best > final.best), config, shrunk):
            self.best[alike] = np.minimum(self.best[alike], outcome.best)


def shorten(rule: Rule, config: MachineConfig, program: Program, best: int) -> list[Operation]:
    """Return a locally shortest program on which a rule still is of no better class than `best`."""

    def fails(candidate: list[Operation]) -> bool:
        return losses(OneRule(rule), config, candidate).best <= best

    return shrink(list(program), fails)
