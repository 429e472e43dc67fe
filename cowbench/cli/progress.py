"""Progress of a sweep: a bar with the time left on a terminal, a plain line now and then in a pipe."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

import click

from cowbench.sweep import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_EVERY_S = 10.0
"""Time between two lines in a pipe."""


class Reporter:
    """Shows progress on standard error; use as a context manager. things: what is counted."""

    def __init__(self, quiet: bool, things: str = "cells") -> None:
        self._quiet, self._things = quiet, things
        self._bar: Bar | None = None
        self._task: TaskID | None = None
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Self:
        if not self._quiet and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Show how far a sweep is."""
        if self._quiet or not progress.total:
            return
        if self._bar is None:
            self._line(progress)
        elif self._task is None:
            self._task = self._bar.add_task(self._things, total=progress.total)
        else:
            words = f"{self._things}, {progress.failed} failed" if progress.failed else self._things
            self._bar.update(self._task, completed=progress.done, total=progress.total, description=words)

    def say(self, words: str) -> None:
        """Say in a line what else is under way."""
        if not self._quiet:
            click.echo(words, err=True)

    def _line(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.done and progress.done < progress.total and now - self._last < _EVERY_S:
            return
        self._last = now
        words = f"{progress.done:,} of {progress.total:,} {self._things}"
        if progress.failed:
            words += f", {progress.failed:,} failed"
        if 0 < progress.done < progress.total:
            left = (now - self._start) / progress.done * (progress.total - progress.done)
            words += f", about {left:.0f} s left"
        click.echo(words, err=True)


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
