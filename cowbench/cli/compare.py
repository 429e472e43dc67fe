"""`cowbench compare`: what changed between two stores."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.report.model import Block, Table

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("compare")
@click.argument("before", metavar="STORE_A", type=_FILE)
@click.argument("after", metavar="STORE_B", type=_FILE)
@click.option("--metric", "metrics", multiple=True, help="Metrics; the headline ones and losses if left out.")
@click.option("--margin", type=float, help="Share within which a difference does not matter: 0.05 is 5 %.")
@click.option("--fail-on", type=click.Choice(["worse", "different"]), help="Exit with 1 if any cell is so.")
def command(before: Path, after: Path, metrics: tuple[str, ...], margin: float | None, fail_on: str | None) -> None:
    """Say what is better or worse in STORE_B than in STORE_A: two commits, two profiles or two kernels.

    Each policy and workload is held against itself, paired by seed. Exit code 0 whatever is found, unless --fail-on
    says otherwise. In a pipe tables are tab-separated.
    """
    from cowbench.report.comparison import told
    from cowbench.report.versus import held_against

    family = held_against(before, after, metrics, margin)
    _print(told(family))
    wanted = {"worse": lambda one: one.verdict == "worse", "different": lambda one: one.verdict != "identical"}
    if fail_on is not None and any(map(wanted[fail_on], family.comparisons)):
        raise click.exceptions.Exit(1)


def _print(blocks: Iterable[Block]) -> None:
    from cowbench.report import model

    for block in blocks:
        if isinstance(block, model.Paragraph):
            click.echo(model.plain(block.text))
        elif isinstance(block, model.Bullets):
            for item in block.items:
                click.echo(f"- {model.plain(item)}")
        elif isinstance(block, model.Fold):
            _print(block.blocks)
        elif isinstance(block, model.Table):
            _table(block)


def _table(table: Table) -> None:
    from cowbench.report.model import cell, plain

    lines = [[plain(cell(content).text) for content in row] for row in (table.head, *table.rows)]
    if not sys.stdout.isatty():
        click.echo("\n".join("\t".join(line) for line in lines))
        return
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(table.caption), title_justify="left")
    for name in lines[0]:
        grid.add_column(Text(name), overflow="fold")
    for line in lines[1:]:
        grid.add_row(*map(Text, line))
    Console().print(grid)
