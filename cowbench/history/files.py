"""asv's result files: a folder with benchmarks.json, and for each machine machine.json and one file a commit.

The formats are those of asv 0.6 (benchmarks.json and results: version 2, machine.json: version 1). Parameters stand
in them as Python literals in text; NaN is a cell that does not apply, null one that failed.
"""

from __future__ import annotations

import ast
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from cowbench.errors import HistoryError

MACHINE = "model"
"""Machine of exact counters: they are the same on every computer, so their curves must not hang on one."""
MODEL = {"arch": "any", "cpu": "any", "machine": MACHINE, "num_cpu": "any", "os": "any", "ram": "any"}
"""What asv knows of it. No value may be that of a real computer: asv forgets those that are its own default."""
_VERSIONS = {"benchmarks.json": 2, "machine.json": 1}
_RESULTS = 2

Parameters = tuple[str, ...]


@dataclass(frozen=True)
class Benchmark:
    """What asv knows of a benchmark. version: results of another version are not of the same thing."""

    name: str
    unit: str
    version: str
    param_names: tuple[str, ...]
    type: str = "track"


@dataclass
class Results:
    """One file: the numbers of one commit on one machine.

    date: of the author, in ms since 1970. python: "3.11". environment: asv's name for what it ran in. cells: for each
    benchmark its values by parameters; NaN where a cell does not apply, None where it failed.
    """

    commit: str
    date: int
    machine: str = MACHINE
    python: str = "3.11"
    environment: str = "virtualenv-py3.11"
    cells: dict[Benchmark, dict[Parameters, float | None]] = field(default_factory=dict)


def read(folder: Path) -> list[Results]:
    """Return all results of the benchmarks of today, oldest commit first. Raises HistoryError."""
    known = read_benchmarks(folder)
    files = sorted(file for file in folder.glob("*/*.json") if file.name != "machine.json")
    return sorted((read_file(file, known) for file in files), key=lambda results: (results.date, results.commit))


def read_benchmarks(folder: Path) -> dict[str, Benchmark]:
    """Return the benchmarks of a results folder by name. Raises HistoryError."""
    file = folder / "benchmarks.json"
    if not file.is_file():
        raise HistoryError(
            f"{folder}: holds no asv results (benchmarks.json); run 'make asv' or 'cowbench export --asv'"
        )
    with _explained(file):
        found = _load(file)
        return {
            name: Benchmark(name, one.get("unit", ""), one["version"], tuple(one["param_names"]), one["type"])
            for name, one in found.items()
            if name != "version"
        }


def read_file(file: Path, known: Mapping[str, Benchmark]) -> Results:
    """Return what one file holds of the known benchmarks, in their version of today. Raises HistoryError."""
    with _explained(file):
        raw = _load(file)
        results = Results(raw["commit_hash"], raw["date"], raw["params"]["machine"], raw["python"], raw["env_name"])
        for name, entries in raw["results"].items():
            row = dict(zip(raw["result_columns"], entries, strict=False))
            benchmark = known.get(name)
            if benchmark is not None and row.get("version") in (None, benchmark.version):
                keys = [tuple(map(_plain, key)) for key in product(*row["params"])]
                results.cells[benchmark] = dict(zip(keys, row["result"] or [None] * len(keys), strict=True))
        return results


def write(folder: Path, results: Sequence[Results]) -> list[Path]:
    """Write results of exact counters as asv does, and return the files. Raises HistoryError."""
    files = [folder / MACHINE / f"{one.commit[:8]}-{one.environment}.json" for one in results]
    with _writing(folder):
        (folder / MACHINE).mkdir(parents=True, exist_ok=True)
        _dump(folder / MACHINE / "machine.json", MODEL)
        for file, one in zip(files, results, strict=True):
            _dump(file, _encode(one))
    return files


def write_benchmarks(folder: Path, results: Results) -> None:
    """Add to benchmarks.json what `results` hold, so that asv can publish them. Raises HistoryError."""
    file = folder / "benchmarks.json"
    with _explained(file):
        known = _load(file) if file.exists() else {}
        for benchmark, cells in results.cells.items():
            known[benchmark.name] = _describe(benchmark, _axes(list(cells)), known.get(benchmark.name))
    with _writing(folder):
        _dump(file, known)


def _describe(benchmark: Benchmark, axes: list[list[str]], old: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a benchmark as asv writes it; its parameters take the values that they had before, too."""
    literals = [[repr(value) for value in axis] for axis in axes]
    if old is not None and old["param_names"] == list(benchmark.param_names):
        literals = [list(dict.fromkeys(one + another)) for one, another in zip(old["params"], literals, strict=True)]
    return {
        "code": "",
        "less_is_better": True,
        "name": benchmark.name,
        "param_names": list(benchmark.param_names),
        "params": literals,
        "type": benchmark.type,
        "unit": benchmark.unit,
        "version": benchmark.version,
    }


def _encode(results: Results) -> dict[str, Any]:
    return {
        "commit_hash": results.commit,
        "date": results.date,
        "env_name": results.environment,
        "env_vars": {},
        "params": MODEL | {"python": results.python},
        "python": results.python,
        "requirements": {},
        "durations": {},
        "result_columns": ["result", "params", "version"],
        "results": {benchmark.name: _columns(benchmark, cells) for benchmark, cells in results.cells.items()},
    }


def _columns(benchmark: Benchmark, cells: Mapping[Parameters, float | None]) -> list[Any]:
    axes = _axes(list(cells))
    values = [cells.get(key, math.nan) for key in product(*axes)]
    return [values, [[repr(value) for value in axis] for axis in axes], benchmark.version]


def _axes(keys: Sequence[Parameters]) -> list[list[str]]:
    """Return the values of each parameter, each once, in order of appearance."""
    return [list(dict.fromkeys(axis)) for axis in zip(*keys, strict=True)]


def _plain(literal: str) -> str:
    """Read a parameter: what asv wrote with repr()."""
    try:
        return str(ast.literal_eval(literal))
    except (ValueError, SyntaxError):
        return literal


def _load(file: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    version, ours = data.get("version"), _VERSIONS.get(file.name, _RESULTS)
    if version != ours:
        raise HistoryError(
            f"{file}: asv format {version}, this cowbench reads {ours}; run 'asv update', or update cowbench"
        )
    return data


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryError(f"{file}: cannot be read ({error.strerror}); change its permissions or remove it") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        words = f"{type(error).__name__}: {error}"
        raise HistoryError(f"{file}: not a result of asv ({words}); remove it, or run 'make asv' again") from None


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HistoryError(f"{folder}: cannot be written ({error.strerror}); give another folder") from None


def _dump(file: Path, data: dict[str, Any]) -> None:
    """Write a file so that it is there whole or not at all."""
    # What asv itself would write over, it shall find as it writes it.
    form: dict[str, Any] = {"indent": 4, "sort_keys": True} if file.name in _VERSIONS else {"separators": (",", ":")}
    text = json.dumps(data | {"version": _VERSIONS.get(file.name, _RESULTS)}, **form)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".asv-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
