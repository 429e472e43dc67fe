"""Specs of trials: one line of JSON that names a row, and the command that makes it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cowbench import plugins, spec
from cowbench.costs import CostProfile
from cowbench.errors import ParameterError
from cowbench.grid import Cell, grid
from cowbench.spec import PluginSpec


def command(policy: str, workload: str, seed: int | None = None, files: Mapping[str, str] | None = None) -> str:
    """Return the command that runs a trial again, or all seeds of a cell, as it can be pasted into a shell.

    files: as `own_files` gives them, for plug-ins that are not built in.
    """
    named = {"policy": by_file(policy, files or {}), "workload": by_file(workload, files or {})}
    text = json.dumps(named if seed is None else named | {"seed": seed}, ensure_ascii=False)
    return f"cowbench run --store again.db --spec {shlex.quote(text)}"


def from_spec(text: str, seeds: int, profile: CostProfile) -> list[Cell]:
    """Return the cells that such a spec names: all `seeds` if it has none. Raises CowbenchError."""
    named = _read(text)
    policy, workload = spec.parse("policy", str(named["policy"])), spec.parse("workload", str(named["workload"]))
    seed = named.get("seed")
    if seed is None:
        return grid([policy], [workload], seeds, profile)
    found = grid([policy], [workload], seed + 1, profile)[seed:]
    if not found:
        raise ParameterError(f"--spec {text}: {workload.text} draws nothing, so it has seed 0 only")
    return found


def own_files(used: Iterable[PluginSpec]) -> dict[str, str]:
    """Return the files of plug-ins that are not built in, by their canonical specs; relative where that is shorter."""
    return {
        text: _shorter(Path(one.file))
        for text, one in sorted({one.text: one for one in used}.items())
        if not plugins.built_in(one.kind, Path(one.file))
    }


def _shorter(file: Path) -> str:
    here = Path.cwd()
    return f"./{file.relative_to(here)}" if file.is_relative_to(here) else str(file)


def by_file(name: str, files: Mapping[str, str]) -> str:
    """Return a spec with the file in place of the plug-in's name, if `files` has it."""
    _, colon, parameters = name.partition(":")
    return f"{files[name]}{colon}{parameters}" if name in files else name


def _read(text: str) -> dict[str, Any]:
    shape = '{"policy": SPEC, "workload": SPEC, "seed": NUMBER}'
    try:
        named = json.loads(text)
    except ValueError:
        named = None
    if not isinstance(named, dict) or not {"policy", "workload"} <= named.keys() <= {"policy", "workload", "seed"}:
        raise ParameterError(f"--spec {text}: is not {shape}; copy it from the report")
    seed = named.get("seed")
    if seed is not None and (type(seed) is not int or seed < 0):
        raise ParameterError(f"--spec {text}: seed must be a number from 0 on")
    return named
