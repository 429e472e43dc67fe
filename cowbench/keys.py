"""Cell keys: a hash of all that can change a trial's row, so that a second run does only what is missing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

from cowbench import schema
from cowbench.costs import CostProfile
from cowbench.spec import PluginSpec
from cowbench.workload import Workload

_PACKAGE = Path(__file__).resolve().parent

_NOT_ENGINE = (
    "__main__.py",
    "again.py",
    "check",
    "checks.py",
    "cli",
    "cluster.py",
    "drivers",
    "execute.py",
    "export.py",
    "frame.py",
    "generator",
    "grid.py",
    "history",
    "ideal.py",
    "keys.py",
    "linux",
    "outcomes.py",
    "parcels.py",
    "policies",
    "provenance.py",
    "record",
    "recorded",
    "recording.py",
    "report",
    "reports",
    "search",
    "settle.py",
    "statistics",
    "store.py",
    "study",
    "summary.py",
    "sweep.py",
    "templates.py",
    "timeline.py",
    "words.py",
    "workloads",
)
"""Files and folders of the package that run around trials, not in them; plug-ins are hashed one by one."""


def cell_key(policy: PluginSpec, workload: PluginSpec, seed: int, profile: CostProfile) -> str:
    """Return the key of one cell: equal keys mean equal rows."""
    parts = [
        schema.VERSION,
        engine_digest(),
        np.__version__,
        profile.digest,
        [policy.text, policy.digest],
        [workload.text, workload.digest, _inputs(workload)],
        seed,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def kernel_key(kernel: str, workload: PluginSpec, seed: int) -> str:
    """Return the key of a cell that a real kernel carried out: equal keys mean equal programs on equal kernels.

    kernel: what tells this kernel from all others, also from one of the same release.
    """
    engine = [schema.VERSION, engine_digest(), _digest(sorted((_PACKAGE / "linux").glob("*.*"))), np.__version__]
    parts = [*engine, kernel, [workload.text, workload.digest, _inputs(workload)], seed]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def search_key(piece: str, deep: int, plugins: Iterable[PluginSpec]) -> str:
    """Return the key of a piece of a search of the rules (cowbench.search): equal keys mean equal outcomes."""
    files = [*(_PACKAGE / "search").glob("*.py"), *(_PACKAGE / "generator").glob("*.py"), _PACKAGE / "conformance.py"]
    parts = [engine_digest(), _digest(sorted(files)), np.__version__, piece, deep, [one.digest for one in plugins]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def engine_digest() -> str:
    """Return the hash of the engine's files: all of the package but what `_NOT_ENGINE` names."""
    return _digest(engine_files())


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        contents = file.read_bytes()
        digest.update(f"{file.relative_to(_PACKAGE).as_posix()} {len(contents)}\n".encode() + contents)
    return digest.hexdigest()


def engine_files() -> Iterator[Path]:
    """Yield the files that a trial may run through, in a fixed order."""
    for file in sorted(_PACKAGE.rglob("*.py")):
        if file.relative_to(_PACKAGE).parts[0] not in _NOT_ENGINE:
            yield file


def _inputs(workload: PluginSpec) -> list[str]:
    """Hash the files that a workload reads; one that is not there fails its cell when that runs."""
    load: Workload = workload.build()
    return [_contents(file) for file in load.files_read() if file.is_file()]


def _contents(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
