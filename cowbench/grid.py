"""Grids: which trials a run is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cowbench import plugins, spec, trial
from cowbench.costs import CostProfile
from cowbench.errors import ParameterError, PluginError
from cowbench.keys import cell_key
from cowbench.parameters import spell
from cowbench.schema import Row
from cowbench.spec import PluginSpec

SEEDS = 16
"""Seeds of a sampled workload by default: enough pairs for a test over a family of policies."""


@dataclass(frozen=True)
class Cell:
    """One trial of a grid. key: equal keys mean equal rows. known: what the row says before the trial."""

    policy: PluginSpec
    workload: PluginSpec
    seed: int
    key: str
    known: Row


def specs(
    kind: plugins.Kind, texts: Sequence[str], on_broken: Callable[[PluginError], None] | None = None
) -> list[PluginSpec]:
    """Return the plug-ins that `texts` (specs or comma lists of them) name, or all there are without any.

    All there are includes the points of workloads' curves; a broken file is then handed to `on_broken` and left out.
    Raises PluginError or ParameterError.
    """
    if texts:
        return _distinct([spec.parse(kind, text) for text in spec.split(texts)])
    found = []
    for name, file in plugins.available(kind).items():
        try:
            found += _with_points(kind, name)
        except PluginError as error:
            if on_broken is None:
                raise PluginError(f"{error}; mend or remove {file}") from None
            on_broken(error)
    return found


def grid(
    policies: Iterable[PluginSpec], workloads: Iterable[PluginSpec], seeds: int, profile: CostProfile
) -> list[Cell]:
    """Return every cell: `seeds` of each sampled workload, one of each exact one."""
    if seeds < 1:
        raise ParameterError(f"seeds={seeds}: at least one is needed")
    cells = []
    for workload in workloads:
        for policy in policies:
            known = trial.identity(policy, workload, 0, profile)
            for seed in range(1 if known["sampling"] == "exact" else seeds):
                key = cell_key(policy, workload, seed, profile)
                cells.append(Cell(policy, workload, seed, key, known | {"seed": seed}))
    return cells


def _with_points(kind: plugins.Kind, name: str) -> list[PluginSpec]:
    points = getattr(plugins.load(kind, name), "points", ())
    values = [",".join(f"{key}={spell(value)}" for key, value in point.items()) for point in points]
    return [spec.parse(kind, text) for text in (name, *(f"{name}:{text}" for text in values))]


def _distinct(chosen: list[PluginSpec]) -> list[PluginSpec]:
    by_text: dict[str, PluginSpec] = {}
    for one in chosen:
        other = by_text.setdefault(one.text, one)
        if other.digest != one.digest:
            raise PluginError(f"two {one.kind} files are called '{one.name}': {other.file}, {one.file}; rename one")
    return list(by_text.values())
