"""Going through all rules of a family at once: a run of a program stands for all rules that answer alike in it.

A rule is of class A if no program makes it leak or lose a pin, of class B if it loses no get either, of class C if it
loses nothing that is documented as lost. A device that writes through a FOLL_GET into a page that fork shared is the
other half of a lost get, so this leak counts in class B.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
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

REJECTED, A, B, C = range(4)
CLASSES = {A: "A", B: "B", C: "C"}
Program = Sequence[Operation]


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
            get_leaks += ledger.leaks - before if reference is not None and not reference.pin else 0
    lost = (ledger.lost_pins, ledger.lost_gets, get_leaks, ledger.lost_pins_documented, ledger.torn_snapshots)
    return Losses(ledger.leaks - get_leaks, *lost)


@dataclass(frozen=True)
class Counterexample:
    """A program that shows why rules are not of a class, shrunk; `losses` are those of the rule it was found for."""

    config: MachineConfig
    program: tuple[Operation, ...]
    losses: Losses


@dataclass
class Screening:
    """The rules of one family, and how far each has come.

    best: int8, the best class each rule can still be of. found: counter-examples in the order in which they were found.
    runs: programs carried out. programs: how many were asked for.
    """

    family: Family
    best: npt.NDArray[np.int8] = field(init=False)
    found: list[Counterexample] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.best = np.full(self.family.shape, C, np.int8)

    def program(self, config: MachineConfig, program: Program) -> None:
        """Hold every rule that is left against a program; what fails is shrunk first and then held against all."""
        seen = self.best == REJECTED
        while not seen.all():
            rule, block, result = self._run(config, program, seen)
            at = np.ix_(*block)
            if (result.best < self.best[at]).any():
                self._reject(config, program, rule, result)
            self.best[at] = np.minimum(self.best[at], result.best)
            seen[at] = True

    def _run(
        self, config: MachineConfig, program: Program, seen: npt.NDArray[np.bool_]
    ) -> tuple[Rule, Block, Losses]:
        """Run the first rule not seen yet; return with it the rules that answered alike."""
        at = tuple(int(i) for i in np.unravel_index(int(np.argmin(seen)), seen.shape))
        rule = Rule(self.family, at)
        policy = Alike(rule, _reach(~seen))
        result = losses(policy, config, program)
        self.runs += 1
        return rule, policy.block, result

    def _reject(self, config: MachineConfig, program: Program, rule: Rule, result: Losses) -> None:
        """Shrink a program on which a rule fails, keep it, and lower what all rules can be by it."""
        shrunk = shorten(rule, config, program, result.best)
        final = losses(OneRule(rule), config, shrunk)
        self.found.append(Counterexample(config, tuple(shrunk), final))
        seen = self.best <= final.best
        while not seen.all():
            _, block, outcome = self._run(config, shrunk, seen)
            at = np.ix_(*block)
            self.best[at] = np.minimum(self.best[at], outcome.best)
            seen[at] = True


def _reach(wanted: npt.NDArray[np.bool_]) -> Block:
    """Return for each part the choices that some wanted rule takes."""
    axes = range(wanted.ndim)
    return tuple(wanted.any(axis=tuple(other for other in axes if other != axis)) for axis in axes)


def shorten(rule: Rule, config: MachineConfig, program: Program, best: int) -> list[Operation]:
    """Return a locally shortest program on which a rule still is of no better class than `best`."""

    def fails(candidate: list[Operation]) -> bool:
        return losses(OneRule(rule), config, candidate).best <= best

    return shrink(list(program), fails)
