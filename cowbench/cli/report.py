"""`cowbench report`: the result as a page."""

from __future__ import annotations

from pathlib import Path

import click

from cowbench.cli import options


@click.command("report")
@options.store
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder to write index.html to.",
)
def command(store: Path, output: Path) -> None:
    """Write OUTPUT/index.html: one page that needs no network, with all that was found."""
    from cowbench import report

    page = report.write(store, output)
    click.echo(f"report written to {page.resolve()}")
