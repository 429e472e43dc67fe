"""What rules cost on the workloads: needless copies, for the rules only that may still be on the front.

The most promising rule goes first, and takes all with it that answer alike. A rule is given up as soon as one that was
counted to the end, needs no more state and is of no worse class has made no more needless copies than it has already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cowbench.errors import OutOfFrames
from cowbench.policy import Policy
from cowbench.search.policy import Alike
from cowbench.search.screening import REJECTED, Rules, Screening
from cowbench.simulated import SimulatedMachine
from cowbench.spec import PluginSpec
from cowbench.trial import generator
from cowbench.workload import Workload

SEED = 0
FIRST = (
    *("many_references", "pinned_once", "direct_io_race", "failed_fork", "spawn_exec", "trace"),
    *("fork_server", "worker_refork", "pin_window", "zygote"),
)
"""Workloads on which rules differ most: counting them first gives rules up early, and changes nothing else."""


def in_order(specs: Iterable[PluginSpec]) -> list[PluginSpec]:
    """Return workloads in the order in which they are counted."""
    return sorted(specs, key=lambda one: (FIRST.index(one.name) if one.name in FIRST else len(FIRST), one.text))


@dataclass(frozen=True)
class Copies:
    """Copies of a run of a workload, the needless ones among them, and whether it ran out of frames."""

    copies: int = 0
    needless: int = 0
    short: bool = False


def copies(policy: Policy, spec: PluginSpec) -> Copies:
    """Run a workload with a policy and count."""
    workload: Workload = spec.build()
    machine = SimulatedMachine(policy, workload.machine())
    short = False
    try:
        workload.run(machine, generator(spec, SEED))
    except OutOfFrames:
        short = True
    ledger = machine.ledger
    return Copies(sum(ledger.copies.values()), sum(ledger.false_positives.values()), short)


@dataclass(frozen=True)
class Point:
    """Where a rule stands: its class, its state in bits, its needless copies."""

    best: int
    bits: int
    needless: int

    def covers(self, other: Point) -> bool:
        """Return whether another rule is of no better class, needs no less state and makes no fewer needless copies."""
        return self.best >= other.best and self.bits <= other.bits and self.needless <= other.needless


@dataclass
class Costing:
    """Needless copies of the rules of one family, as far as they were counted.

    needless, made: int64 a rule, needless and all copies so far. done: workloads counted. bits: state (Rule.bits).
    rivals: what was found in other families.
    """

    screening: Screening
    workloads: Sequence[PluginSpec]
    rivals: Sequence[Point] = ()
    bits: npt.NDArray[np.int64] = field(init=False)
    needless: npt.NDArray[np.int64] = field(init=False)
    made: npt.NDArray[np.int64] = field(init=False)
    done: npt.NDArray[np.int16] = field(init=False)
    runs: int = 0

    def __post_init__(self) -> None:
        size = self.screening.family.size
        self.bits = self.screening.family.bits().ravel()
        self.needless, self.made = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.done = np.zeros(size, np.int16)

    def finish(self) -> None:
        """Count until every rule is counted to the end, rejected, or given up."""
        while len(left := self._open()):
            # The fewest needless copies first, then the least state, then the one that was counted furthest.
            first = left[np.lexsort((-self.done[left], self.bits[left], self.needless[left]))[0]]
            self._count(int(first), left)

    def _count(self, number: int, left: Rules) -> None:
        screening, at = self.screening, int(self.done[number])
        rules = left[self.done[left] == at]
        policy = Alike(screening.rule(number), screening.reach(rules))
        found = copies(policy, self.workloads[at])
        alike = rules[screening.within(rules, policy.block)]
        self.needless[alike] += found.needless
        self.made[alike] += found.copies
        self.done[alike] += 1
        self.runs += 1

    def _open(self) -> Rules:
        """Return the rules that are not counted to the end and may still be on the front of their class."""
        best, end = self.screening.best, len(self.workloads)
        left = np.flatnonzero((best > REJECTED) & (self.done < end))
        for point in (*self.rivals, *map(self.point, self.front())):
            worse = (self.bits[left] >= point.bits) & (self.needless[left] >= point.needless)
            left = left[~(worse & (best[left] <= point.best))]
        return left

    def point(self, number: int) -> Point:
        """Return where a rule that was counted to the end stands."""
        return Point(int(self.screening.best[number]), int(self.bits[number]), int(self.needless[number]))

    def front(self) -> list[int]:
        """Return the rules counted to the end that none of no worse class equals or beats in state and copies.

        Of equal ones the first stands for all.
        """
        best, end = self.screening.best, len(self.workloads)
        found: list[int] = []
        ended = np.flatnonzero((best > REJECTED) & (self.done == end))
        order = np.lexsort((ended, self.made[ended], self.needless[ended], self.bits[ended], -best[ended]))
        for number in ended[order].tolist():
            mine = self.point(number)
            if not any(point.covers(mine) for point in (*self.rivals, *map(self.point, found))):
                found.append(number)
        return found
