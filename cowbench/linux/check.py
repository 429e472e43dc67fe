"""Random programs on a kernel and on the model: do they show the same after every operation?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cowbench.compare import Difference, first_difference
from cowbench.errors import ProgramError
from cowbench.expected import expect
from cowbench.generator import shrink
from cowbench.linux.connection import Kernel, batched
from cowbench.linux.draw import CONFIG, draw
from cowbench.observation import Observation
from cowbench.operations import Operation
from cowbench.policy import Policy

BATCH = 64
AGAIN = 3
"""Times that a program which differed is carried out again: what does not show again is not shrunk."""

Program = list[Operation]


@dataclass(frozen=True)
class Finding:
    """A program on which kernel and model differ. number: of the program it was shrunk from. fleeting: it differed
    once and then no more, so it is as it was drawn.
    """

    number: int
    program: Program
    difference: Difference
    fleeting: bool


@dataclass
class Outcome:
    """What came of a check. programs, operations: compared. not_applicable: programs that the kernel refused, by why.

    left_out: operations that were taken out of programs because the kernel cannot stage them, by why.
    """

    programs: int = 0
    operations: int = 0
    findings: list[Finding] = field(default_factory=list)
    not_applicable: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Held:
    """A kernel held against a policy on the model."""

    kernel: Kernel
    policy: Policy

    def difference(self, program: Program, seen: Observation) -> Difference | None:
        """Return the first difference between what the kernel showed of a program and what the model shows."""
        return first_difference(program, expect(self.policy, CONFIG, program), seen, frames=self.kernel.frames)

    def again(self, program: Program) -> Difference | None:
        """Carry a program out once more and compare; None also if it is impossible or not applicable."""
        try:
            expected = expect(self.policy, CONFIG, program)
        except ProgramError:  # it lost the process it names
            return None
        seen = self.kernel.observe(program, CONFIG)
        if seen.not_applicable:
            return None
        return first_difference(program, expected, seen, frames=self.kernel.frames)

    def finding(self, number: int, program: Program, difference: Difference) -> Finding:
        """Shrink a program that differed, on kernel and model."""
        program = program[: difference.step + 1]
        if not all(self.again(program) for _ in range(AGAIN)):
            return Finding(number, program, difference, fleeting=True)
        small = shrink(program, lambda part: self.again(part) is not None)
        return Finding(number, small, self.again(small) or difference, fleeting=False)


def check(
    held: Held,
    seed: int,
    numbers: range,
    outcome: Outcome,
    *,
    enough: int = 5,
    report: Callable[[int], None] = lambda done: None,
) -> None:
    """Hold random programs `numbers` of a seed; `outcome` grows as they are done, so an interrupted check keeps it.

    Stops after `enough` differences. report: told how many programs are done. Raises KernelError if the kernel
    does not answer.
    """
    done = 0
    for group in batched(_drawn(held, seed, numbers, outcome), BATCH):
        seen = held.kernel.observe_many((CONFIG, program) for _, program in group)
        for (number, program), observation in zip(group, list(seen), strict=True):
            _one(held, number, program, observation, outcome)
            done += 1
            if len(outcome.findings) >= enough:
                return
        report(done)


def _drawn(held: Held, seed: int, numbers: range, outcome: Outcome) -> Iterator[tuple[int, Program]]:
    abilities, batch = held.kernel.abilities(), held.policy.flags().lru_batch
    for number in numbers:
        yield number, draw(seed, number, abilities, batch, outcome.left_out)


def _one(held: Held, number: int, program: Program, observation: Observation, outcome: Outcome) -> None:
    if observation.not_applicable:
        outcome.not_applicable[observation.not_applicable] += 1
        return
    outcome.programs += 1
    outcome.operations += len(program)
    difference = held.difference(program, observation)
    if difference is not None:
        outcome.findings.append(held.finding(number, program, difference))
