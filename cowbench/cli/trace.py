"""`cowbench trace view`: one trial, operation by operation."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import click

from cowbench.cli import cut
from cowbench.errors import CowbenchError, ParameterError

if TYPE_CHECKING:
    from cowbench.ledger import EventKind
    from cowbench.spec import PluginSpec
    from cowbench.timeline import Step, Timeline

Only = Literal["copies", "false-positives", "leaks", "lost"]
_KINDS: dict[str, tuple[EventKind, ...]] = {
    "copies": ("copies", "false_positive_copies"),
    "false-positives": ("false_positive_copies",),
    "leaks": ("leaks",),
    "lost": ("lost_pins", "lost_gets", "lost_pins_documented"),
}
_RUNS = 6
"""Runs of pages shown of each booking on a terminal; a pipe gets all."""
_FOLD = 4
"""So many operations in a row to which nothing happened become one line on a terminal."""


@click.group("trace")
def command() -> None:
    """Look into single trials."""


@command.command("view")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--policy", "-p", required=True, metavar="SPEC", help="The policy that decides.")
@click.option("--workload", "-w", metavar="SPEC", help="The workload to run, in place of FILE.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the workload.")
@click.option("--page", type=click.IntRange(0), help="Only what concerns this page number, in any process.")
@click.option("--only", type=click.Choice(get_args(Only)), help="Only operations with these, and nothing else of them.")
@click.option("--profile", type=click.Path(path_type=Path), help="File of costs behind modelled times.")
def view(
    file: Path | None,
    policy: str,
    workload: str | None,
    seed: int,
    page: int | None,
    only: Only | None,
    profile: Path | None,
) -> None:
    """Show which operation of a trial copied, leaked or lost which pages, and why.

    The trial is that of a workload and a seed, as in a row of results, or of the program in FILE (see 'cowbench run
    --record'). In a pipe: one tab-separated line a booking, with all its pages.
    """
    from cowbench import costs, spec, timeline

    prices = costs.read_profile(profile) if profile else costs.read_profile()
    load = _workload(file, workload)
    cut.warn([load])
    trial = timeline.follow(spec.parse("policy", policy), load, seed, prices)
    if page is not None and not any(step.reaches(page) for step in trial.steps):
        raise ParameterError(f"no operation of this trial reaches page {page}; 'cowbench trace view' without --page")
    steps = [kept for step in trial.steps if (kept := _kept(step, page, only)) is not None]
    if sys.stdout.isatty():
        _draw(f"{policy} on {workload or file}, seed {seed}", trial, steps)
    else:
        _print(steps)
    if trial.row["status"] != "ok":
        raise CowbenchError(f"the trial ended here, {trial.row['status'].replace('_', ' ')}: {trial.row['error']}")


def _workload(file: Path | None, workload: str | None) -> PluginSpec:
    from cowbench import program_file, spec

    if (file is None) == (workload is None):
        raise ParameterError("give either the FILE of a program or a --workload")
    if file is None:
        return spec.parse("workload", str(workload))
    program_file.read_header(file)  # says what is wrong with it
    return replace(spec.parse("workload", "trace"), values=(("file", str(file)),))


def _kept(step: Step, page: int | None, only: Only | None) -> Step | None:
    """Return what of a step was asked for."""
    found = step if page is None else step.about(page)
    if found is None or only is None:
        return found
    events = tuple(event for event in found.events if event.kind in _KINDS[only])
    return replace(found, events=events, fork_ns=None) if events else None


def _print(steps: Sequence[Step]) -> None:
    from cowbench.timeline import say_runs, short

    click.echo("\t".join(("operation", "words", "what", "where", "why", "process", "count", "pages")))
    for step in steps:
        words = short(step.words, _RUNS) + step.handle
        for event in step.events:
            facts = (event.kind, event.site, event.cause, str(event.process), str(len(event.pages)))
            click.echo("\t".join((str(step.number), words, *facts, say_runs(event.pages))))
        if step.fork_ns is not None:
            click.echo("\t".join((str(step.number), words, "fork_ns", "", "", "", str(step.fork_ns), "")))
        elif not step.events:
            click.echo("\t".join((str(step.number), words, *[""] * 6)))


def _draw(title: str, trial: Timeline, steps: Sequence[Step]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=Text(title), title_justify="left")
    grid.add_column("#", justify="right")
    grid.add_column("operation", ratio=2)
    grid.add_column("what happened", ratio=3)
    for number, words, happened in _folded(steps):
        grid.add_row(number, Text(words), Text("\n").join(Text(line, style) for line, style in happened))
    console = Console()
    console.print(grid)
    console.print(Text(_sum(trial, len(steps))))


Happened = list[tuple[str, str]]
"""What an operation did: lines with their style."""


def _folded(steps: Sequence[Step]) -> Iterator[tuple[str, str, Happened]]:
    """Yield number, operation and what happened; operations in a row to which the same happened become one.

    So do long runs of those to which nothing happened, whatever they were.
    """
    for quiet, group in groupby(steps, lambda step: step.quiet):
        run = list(group)
        if quiet and len(run) >= _FOLD:
            kinds = Counter(step.operation.op for step in run)
            words = ", ".join(f"{kind} {count:,} times" if count > 1 else kind for kind, count in kinds.items())
            yield _numbers(run), f"{len(run):,} operations: {words}", [("nothing to count", "dim")]
            continue
        for (words, happened), same in groupby(run, _told):
            alike = list(same)
            again = f", {len(alike):,} times in a row" if len(alike) > 1 else alike[0].handle
            yield _numbers(alike), words + again, happened


def _numbers(steps: Sequence[Step]) -> str:
    return str(steps[0].number) if len(steps) == 1 else f"{steps[0].number}-{steps[-1].number}"


def _told(step: Step) -> tuple[str, Happened]:
    from cowbench.timeline import WRONG, say_event, short

    happened = []
    for event in step.events:
        style = "bold red" if event.kind in WRONG else "yellow" if event.kind == "false_positive_copies" else ""
        happened.append((say_event(event, _RUNS), style))
    if step.fork_ns is not None:
        happened.append((f"fork takes {step.fork_ns / 1000:,.1f} µs (modelled)", "dim"))
    return short(step.words, _RUNS), happened


def _sum(trial: Timeline, shown: int) -> str:
    """Say what the whole trial added up to."""
    from cowbench.timeline import WRONG

    found = [f"{trial.count('copies'):,} copies, {trial.count('false_positive_copies'):,} of them needless"]
    found += [f"{trial.count(kind):,} {kind.replace('_', ' ')}" for kind in WRONG if trial.count(kind)]
    return f"{shown:,} of {len(trial.steps):,} operations shown. In the whole trial: {', '.join(found)}."
