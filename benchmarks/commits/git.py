"""What the scripts here ask of git; every question that fails is one line."""

from __future__ import annotations

import subprocess
from pathlib import Path

from cowbench.errors import HistoryError

ROOT = Path(__file__).resolve().parents[2]
_RECORDS = "benchmarks/history"


def ask(*words: str) -> str | None:
    """Return what git answers about this checkout, or None if it fails. Raises HistoryError without git."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise HistoryError("git is missing; install it, commits cannot be read without") from None
    return done.stdout.strip() if done.returncode == 0 else None


def commit_of(name: str) -> str:
    """Return the full hash of a commit. Raises HistoryError if there is none of this name."""
    if ask("rev-parse", "--git-dir") is None:
        raise HistoryError(f"{ROOT}: no git repository; clone the project instead of unpacking an archive of it")
    commit = ask("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if commit is None:
        hint = "; this clone is shallow, 'git fetch --unshallow' gets the rest" if shallow() else ""
        raise HistoryError(f"no commit '{name}'{hint or '; git log shows which there are'}")
    return commit


def shallow() -> bool:
    """Return whether this clone lacks the beginning of its history."""
    return ask("rev-parse", "--is-shallow-repository") == "true"


def need_history() -> None:
    """Raise HistoryError in a shallow clone: asv would publish an empty page and say nothing."""
    commit_of("HEAD")
    if shallow():
        raise HistoryError("this clone is shallow, so there is no history; 'git fetch --unshallow' gets it")


def need_clean() -> None:
    """Raise HistoryError for changes that are not committed: only commits are measured. Records do not count."""
    changed = ask("status", "--porcelain", "--", ".", f":!{_RECORDS}")
    if changed:
        first = changed.splitlines()[0].split(maxsplit=1)[-1]
        raise HistoryError(f"{first} is not committed, so it would not be measured; commit or stash changes first")


def date_of(commit: str) -> int:
    """Return when a commit was written, in ms since 1970."""
    return int(ask("show", "--no-patch", "--format=%at", commit) or 0) * 1000
