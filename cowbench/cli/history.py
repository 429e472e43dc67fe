"""`cowbench history`: numbers over commits, as asv keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.history.steps import Step


@click.command("history")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("benchmarks/history"))
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, allow_dash=True), help="Write all numbers as CSV.")
def command(folder: Path, csv_file: str | None) -> None:
    """Say which commit moved which exact counter in a FOLDER of asv results (benchmarks/history if left out).

    The same steps are drawn in a report: cowbench report --history FOLDER.
    """
    from cowbench.history import files, steps

    results = steps.in_order(files.read(folder), folder)
    if csv_file is not None:
        from cowbench.history.frame import load_history

        with click.open_file(csv_file, "w", encoding="utf-8") as stream:
            load_history(folder).to_csv(stream, index=False)
        return
    lines = steps.lines(results)
    if not lines:
        click.echo(f"{folder} holds no exact counters; 'cowbench history {folder} --csv FILE' writes what it holds")
    for (machine, python), line in lines.items():
        found = list(steps.steps(line))
        commits = f"{len(line)} commit{'s' * (len(line) != 1)} on {machine}, Python {python}"
        click.echo(f"{commits}: {len(found):,} counter{'s' * (len(found) != 1)} moved")
        for step in found:
            click.echo(f"  {sentence(step)}")


def sentence(step: Step) -> str:
    """Return a step in words."""
    numbers = f"{step.before:,.10g} -> {step.after:,.10g} ({step.after - step.before:+,.10g})"
    way = "worse" if step.worse else "better"
    return f"{step.commit[:8]}: {step.metric} of {step.policy} on {step.workload} {numbers}: {way}"
