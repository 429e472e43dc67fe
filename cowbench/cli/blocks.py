"""Parts of a report on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.report.model import Block, Table


def show(blocks: Iterable[Block]) -> None:
    """Print sentences and tables; what needs a page to be seen is left out. In a pipe tables are tab-separated."""
    from cowbench.report import model

    for block in blocks:
        if isinstance(block, model.Paragraph):
            click.echo(model.plain(block.text))
        elif isinstance(block, model.Bullets):
            for item in block.items:
                click.echo(f"- {model.plain(item)}")
        elif isinstance(block, model.Terms):
            for term, meaning in block.items:
                click.echo(f"{term}: {model.plain(meaning)}")
        elif isinstance(block, model.Fold):
            show(block.blocks)
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
