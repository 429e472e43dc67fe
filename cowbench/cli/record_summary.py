"""`cowbench record --summary`: what a recording shows, on the terminal and as a page with pictures."""

from __future__ import annotations

from pathlib import Path

import click

LISTED = 15
"""Lives, and processes, that the terminal lists."""


def show(file: Path, output: Path | None) -> None:
    """Print the summary of a recording; write OUTPUT/index.html and OUTPUT/writes.png if `output` is given.

    Raises ProgramError for a file that is no recording, CowbenchError for a folder that cannot be written.
    """
    from cowbench.cli import blocks
    from cowbench.recorded import told
    from cowbench.recorded.watch import summarize

    found = summarize(file)
    for part in (
        told.facts(found),
        told.forks(found, LISTED),
        told.references(found),
        told.operations(found, LISTED),
        told.working_set(found),
    ):
        blocks.show(part)
    if output is None and max(len(found.lives), len(found.processes)) > LISTED:
        click.echo("The page that --output FOLDER writes lists all of them.")
    if found.cut:
        click.echo(f"cowbench: {file}: {found.cut}; all up to there is shown", err=True)
    if output is not None:
        from cowbench.recorded.page import write

        for written in write(file, found, output):
            click.echo(f"written to {written}")
