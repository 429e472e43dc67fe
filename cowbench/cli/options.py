"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

store = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("cowbench.db"),
    show_default=True,
    help="File of results.",
)
