"""Where results come from: what is recorded once a run, beside the rows and never in them."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cowbench import __version__
from cowbench.costs import CostProfile
from cowbench.keys import engine_digest

_LIBRARIES = ("numpy", "scipy", "pandas")


def collect(
    profile: CostProfile | None, command: str, files: Mapping[str, str], looks: Sequence[int] = ()
) -> dict[str, Any]:
    """Return what a reader needs to judge and repeat a run.

    command: how it was called. files: the files of plug-ins that are not built in, by their canonical specs.
    profile: behind the modelled times, if there are any. looks: numbers of seeds at which a run that grows its sample
    looks at it; whoever tests the sample must know.
    """
    commit, dirty = _git()
    return {
        "command": command,
        "files": dict(files),
        "cowbench": __version__,
        "commit": commit,
        "dirty": dirty,
        "engine": engine_digest()[:16],
        "python": platform.python_version(),
        **{name: _version(name) for name in _LIBRARIES},
        "system": f"{platform.system()} {platform.release()}",
        "machine": f"{platform.machine()}, {cpu()}, {os.cpu_count()} CPUs",
        **({} if profile is None else {"profile": profile.to_json()}),
        **({"looks": list(looks)} if looks else {}),
    }


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu() -> str:
    """Return the name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown CPU"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def _git() -> tuple[str | None, bool | None]:
    """Return the commit of the checkout that cowbench runs from, and whether files differ from it."""
    root = Path(__file__).resolve().parent.parent
    # An installed package may lie inside somebody else's repository, whose commit says nothing about it.
    if not (root / ".git").exists():
        return None, None
    commit = _ask(root, "rev-parse", "HEAD")
    changes = _ask(root, "status", "--porcelain")
    return commit, None if changes is None else bool(changes)


def _ask(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
