"""Calling asv on this project: with its configuration bent to where results shall go, and to the branch at hand."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.commits import git
from cowbench.errors import HistoryError
from cowbench.history.files import MACHINE, MODEL

HISTORY = git.ROOT / "benchmarks" / "history"
SCRATCH = git.ROOT / ".asv"
_PROGRESS = re.compile(r"^(·|\[ *[\d.]+%\] ·+ (?!=|-|\s))")


def need_asv() -> None:
    """Raise HistoryError unless asv and the page that works offline are installed."""
    for name in ("asv", "asv-tachyon"):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise HistoryError(f"{name} is not installed; pip install 'cowbench[asv]', or run 'make asv'") from None


def configuration() -> dict[str, Any]:
    """Return asv.conf.json."""
    text = (git.ROOT / "asv.conf.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return read


class Asv:
    """asv with its results in one folder."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def call(self, *words: str) -> int:
        """Run a command of asv, pass on what tells how far it is, and return its exit code. Ctrl-C ends both."""
        command = [sys.executable, "-m", "asv", words[0], "--config", str(self._file), *words[1:]]
        log = SCRATCH / "log.txt"
        with (
            log.open("w", encoding="utf-8") as kept,
            subprocess.Popen(command, cwd=git.ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run,
        ):
            assert run.stdout is not None
            for line in run.stdout:
                kept.write(line)
                if _PROGRESS.match(line):
                    print(line.rstrip(), flush=True)
        return run.returncode

    def need(self, *words: str) -> None:
        """Run a command that must succeed. Raises HistoryError with what asv said last."""
        if self.call(*words):
            said = (SCRATCH / "log.txt").read_text(encoding="utf-8").strip().splitlines() or ["nothing"]
            raise HistoryError(
                f"asv {words[0]} failed: {said[-1].strip('· ')}; all it said is in {SCRATCH / 'log.txt'}"
            )


@contextmanager
def asv(results: Path) -> Iterator[Asv]:
    """Give asv, keeping results in a folder and showing the main branch, or HEAD where that is on none."""
    SCRATCH.mkdir(exist_ok=True)
    on_main = git.ask("merge-base", "--is-ancestor", "HEAD", "main") is not None
    # Beside pyproject.toml: asv reads there what building needs.
    file = git.ROOT / f".asv.{results.name}.json"
    file.write_text(
        json.dumps(configuration() | {"results_dir": str(results), "branches": ["main" if on_main else "HEAD"]})
    )
    try:
        runner = Asv(file)
        introduce(runner)
        yield runner
    finally:
        file.unlink()


def introduce(runner: Asv) -> None:
    """Let asv know this computer and the machine of exact counters, unless it does; what it knows stays as it is."""
    known = Path("~/.asv-machine.json").expanduser()
    names = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
    if platform.node() not in names:
        runner.need("machine", "--yes")
    if names.get(MACHINE) != MODEL:
        runner.need("machine", "--yes", *(word for name, value in MODEL.items() for word in (f"--{name}", value)))
