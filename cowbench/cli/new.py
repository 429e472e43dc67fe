"""`cowbench new`: a plug-in to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command("new")
@click.argument("kind", type=click.Choice(["policy", "workload", "section"]))
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Folder to write to; the current one if left out.",
)
def command(kind: Literal["policy", "workload", "section"], name: str, directory: Path) -> None:
    """Write NAME.py, a commented policy, workload or section of the report that works as it is; never overwrites."""
    from cowbench import templates

    file = templates.write(kind, name, directory)
    use = "report" if kind == "section" else "run"
    click.echo(f"{file} written; now: cowbench check {file}, then cowbench {use} --{kind} {file}")
