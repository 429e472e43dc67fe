"""From a study to the cells of its experiments."""

from __future__ import annotations

from pathlib import Path

from cowbench import grid, plugins
from cowbench.costs import CostProfile
from cowbench.errors import CowbenchError, StudyError
from cowbench.grid import Cell
from cowbench.parameters import nearest
from cowbench.spec import PluginSpec
from cowbench.study.definition import Experiment, Question, Study, read


def find(name_or_path: str) -> Study:
    """Read a study given by name (seed-thread or seed_thread) or by the path of a .toml file. Raises StudyError."""
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        return read(Path(name_or_path).expanduser())
    known = {file.stem: file for file in plugins.data_folder("studies").glob("*.toml")}
    name = name_or_path.replace("-", "_")
    if name not in known:
        raise StudyError(f"no study '{name_or_path}': {nearest(name, known)}; or give the path of a .toml file")
    return read(known[name])


def cells(study: Study, profile: CostProfile) -> list[Cell]:
    """Return every cell of a study once. Raises StudyError naming the experiment whose grid cannot be."""
    found: dict[str, Cell] = {}
    for question in study.questions:
        for one in question.experiments:
            found |= {cell.key: cell for cell in _grid(study, question, one, profile)}
    return list(found.values())


def measured(study: Study) -> list[PluginSpec]:
    """Return the workloads that a study wants run on a real kernel, too; each once."""
    chosen = [one for question in study.questions for one in question.experiments if one.measured]
    texts = dict.fromkeys(text for one in chosen for text in one.workload_specs())
    return grid.specs("workload", list(texts)) if texts else []


def _grid(study: Study, question: Question, one: Experiment, profile: CostProfile) -> list[Cell]:
    try:
        policies = grid.specs("policy", one.policy_specs())
        workloads = grid.specs("workload", one.workload_specs())
    except CowbenchError as error:
        raise StudyError(f"{study.name}: {question.name}: {one.name}: {error}") from None
    return grid.grid(policies, workloads, one.seeds, profile)
