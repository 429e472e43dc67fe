"""What a calibration measures, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cowbench.costs import CostProfile, fork_ns
from cowbench.ledger import ForkCounts
from cowbench.linux.regression import MISS, Fit
from cowbench.linux.timing import Place

SMALLEST = 32
"""Pages of the smallest sample."""
EARLY_COLUMN = 2
"""Which coefficient of the fit of forks is that of pinned pages; 0 is the base, 1 that of all pages."""


@dataclass(frozen=True)
class Grid:
    """What is measured: sizes up to `pages`, each `repeats` times. swap: whether pages may be put out to swap."""

    pages: int
    repeats: int
    swap: bool = False

    @property
    def sizes(self) -> list[int]:
        """Sizes that are fitted: powers of two, in pages."""
        return [SMALLEST << step for step in range((self.pages // SMALLEST).bit_length())]

    @property
    def held_back(self) -> list[int]:
        """Sizes between them that only test the fit of forks."""
        return [round(size * 2**0.5) for size in self.sizes[1:-1]]


@dataclass(frozen=True)
class Point:
    """The median time of forks, in ns. once_pinned: the process has held a page before, and let go of it."""

    pages: int
    pinned: int
    ns: float
    once_pinned: bool = False


@dataclass(frozen=True)
class HeldBack:
    """A fork of a size that no cost was fitted to, measured and modelled, in ns."""

    pages: int
    pinned: int
    measured: float
    modelled: int

    @property
    def error(self) -> float:
        """The model's relative error."""
        return self.modelled / self.measured - 1


@dataclass(frozen=True)
class Calibration:
    """What came out. fits and flags (what speaks against the figure, in words): by entry, of measured entries only.

    unmeasured: entries that keep their published figure, and why. points: all forks timed.
    """

    place: Place
    grid: Grid
    profile: CostProfile
    fits: dict[str, Fit] = field(repr=False)
    flags: dict[str, list[str]]
    unmeasured: dict[str, str]
    held_back: list[HeldBack]
    points: list[Point] = field(repr=False)

    @property
    def error(self) -> float:
        """The median error of the model on held-back sizes, without sign."""
        return float(np.median([abs(held.error) for held in self.held_back]))

    @property
    def early(self) -> tuple[float, float, float] | None:
        """A whole early copy in ns, and its interval; the profile shares it among its parts. None if not measured."""
        if "early_copy" not in self.flags:
            return None
        found = self.fits["early_copy"]
        return float(found.coefficients[EARLY_COLUMN]), float(found.low[EARLY_COLUMN]), float(found.high[EARLY_COLUMN])

    @property
    def warnings(self) -> list[str]:
        """Say in words why the profile as a whole is not to be trusted; empty if nothing speaks against it."""
        if self.error <= MISS:
            return []
        words = f"modelled forks miss the measured ones by {self.error:.0%} in the median, more than {MISS:.0%}"
        return [f"{words}; run again when the machine is quiet"]


def modelled(profile: CostProfile, pages: int, pinned: int) -> int:
    """Return the modelled time of a fork in ns, every pinned page being copied early as kernels since 5.9 do."""
    return fork_ns(ForkCounts(pages, 0, pinned, pinned, pinned, False), profile)
