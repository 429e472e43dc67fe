"""How large and how often to measure, and what a group of measurements hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.ratios.measure import Ratio, differences
from benchmarks.ratios.native import Compiler

NO_COMPILER = "no compiler"
Reading = list[Ratio] | str
"""What was measured, one ratio for each size; or in words why not."""


@dataclass(frozen=True)
class Sizes:
    """Sizes as powers of two, and rounds of interleaved runs. mark: what to print beside every size."""

    middle: int
    large: int
    huge: int
    twin: int
    small: int
    rounds: int
    mark: str = ""

    def text(self, name: str) -> str:
        """Return a size by name for the table, or several joined by a comma."""
        return ",".join(f"2^{getattr(self, part)}" for part in name.split(",")) + self.mark


FULL = Sizes(middle=20, large=24, huge=28, twin=16, small=12, rounds=5)
QUICK = Sizes(middle=14, large=16, huge=18, twin=9, small=9, rounds=2, mark=" quick")


@dataclass(frozen=True)
class Setting:
    """One run: sizes, the C compiler, and the targets asked for."""

    sizes: Sizes
    compiler: Compiler
    only: frozenset[int]


@dataclass
class Outcome:
    """Readings by number of target, notes to print below, and counts on which C machine and model differ."""

    readings: dict[int, Reading] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    disagreements: int = 0

    def add(self, other: Outcome) -> None:
        """Take in what another group found."""
        self.readings |= other.readings
        self.notes += other.notes
        self.disagreements += other.disagreements

    def compare(self, what: str, model: Mapping[str, int], c: Mapping[str, int]) -> None:
        """Note whether the C machine counted what the model counted."""
        different = differences(model, c)
        self.disagreements += len(different)
        verdict = f"DISAGREE: {'; '.join(different)}" if different else f"agree on all {len({*model, *c})}"
        self.notes.append(f"counts of model and C, {what}: {verdict}")
