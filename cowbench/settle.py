"""Growing a store until comparisons are settled: more seeds for the cells of open ones, up to a cap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cowbench.costs import CostProfile
from cowbench.errors import ParameterError
from cowbench.frame import to_frame
from cowbench.grid import Cell, grid
from cowbench.parameters import nearest
from cowbench.spec import PluginSpec
from cowbench.statistics import Family, Method, compare
from cowbench.statistics.growth import plan
from cowbench.store import Store
from cowbench.summary import compared


@dataclass(frozen=True)
class Settled:
    """What growing came to: all cells that were asked for, and how the comparisons stand at the end."""

    cells: list[Cell]
    family: Family

    @property
    def open(self) -> int:
        """Comparisons that are not settled with all the seeds that were allowed."""
        return sum(one.open for one in self.family.comparisons)

    @property
    def words(self) -> str:
        """The end in one sentence."""
        count = len(self.family.comparisons)
        left = f"{self.open:,} are still open" if self.open else "all are settled"
        most = max((one.pairs for one in self.family.comparisons), default=0)
        return f"{count:,} comparisons, up to {most:,} seeds each: {left}"


Sweep = Callable[[Sequence[Cell], tuple[int, ...]], object]
"""Runs what the store lacks of cells; the looks of the plan go into the run's provenance."""


def until_settled(
    policies: Sequence[PluginSpec],
    workloads: Sequence[PluginSpec],
    baseline: str,
    seeds: tuple[int, int],
    store: Store,
    profile: CostProfile,
    sweep: Sweep,
) -> Settled:
    """Run all cells with the first number of seeds, then more for open comparisons with `baseline`, up to the second.

    At each look of the plan the family is tested at the look's share of alpha (see cowbench.statistics.Method); the
    cells of both sides of what is open get as many seeds as the next look has. The same store and arguments ask for
    the same cells, so a run that was stopped goes on where it was. Raises ParameterError for an unknown baseline.
    """
    names = [policy.text for policy in policies]
    if baseline not in names:
        raise ParameterError(f"--baseline {baseline}: not among the policies of this run; {nearest(baseline, names)}")
    looks = plan(*seeds)
    cells = {cell.key: cell for cell in grid(policies, workloads, looks[0], profile)}
    sweep(list(cells.values()), looks)
    for look in looks[1:]:
        family = judged(store, list(cells.values()), baseline, looks)
        more = {cell.key: cell for cell in _more(family, policies, workloads, look, profile)}
        if not more:
            break
        sweep([cell for key, cell in more.items() if key not in cells], looks)
        cells |= more
    return Settled(list(cells.values()), judged(store, list(cells.values()), baseline, looks))


def usual_baseline(policies: Sequence[PluginSpec]) -> str:
    """Return page_count, which the others were made to better, if it is among the policies; else the first."""
    names = [policy.text for policy in policies]
    return "page_count" if "page_count" in names or not names else names[0]


def judged(store: Store, cells: Sequence[Cell], baseline: str, looks: tuple[int, ...]) -> Family:
    """Return how the comparisons of these cells, and of no others that the store may hold, stand by the plan."""
    wanted = {(cell.policy.text, cell.workload.text, cell.seed) for cell in cells}
    rows = [row for row in store.rows() if (row["policy"], row["workload"], row["seed"]) in wanted]
    return compare(to_frame(compared(rows)), baseline, method=Method(looks=looks))


def _more(
    family: Family, policies: Sequence[PluginSpec], workloads: Sequence[PluginSpec], look: int, profile: CostProfile
) -> list[Cell]:
    """Return the cells of both sides of every open comparison, with the seeds of a look."""
    sides: dict[str, set[str]] = {}
    for one in family.comparisons:
        if one.open and one.pairs:
            sides.setdefault(one.workload, set()).update((one.policy, one.against))
    return [
        cell
        for workload in workloads
        if workload.text in sides
        for cell in grid([p for p in policies if p.text in sides[workload.text]], [workload], look, profile)
    ]
