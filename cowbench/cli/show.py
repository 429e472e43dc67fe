"""`cowbench show`: a metric in the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cowbench.cli import options
from cowbench.errors import ParameterError

if TYPE_CHECKING:
    from cowbench.summary import Table


@click.command("show")
@options.store
@click.option("--metric", default="copies", show_default=True, help="A name from 'cowbench list metrics'.")
def command(store: Path, metric: str) -> None:
    """Show a metric: a line a workload, a column a policy, means over seeds.

    `*` marks means in which a seed ran out of frames, `!` those in which one failed. In a pipe: tab-separated.
    """
    from cowbench import schema, summary
    from cowbench.parameters import nearest
    from cowbench.store import Store

    if metric not in schema.METRICS:
        raise ParameterError(f"no metric '{metric}': {nearest(metric, schema.METRICS)}")
    with Store(store, read_only=True) as results:
        rows = results.rows()
    table = summary.table(rows, metric)
    policies, workloads = summary.names(rows, "policy"), summary.names(rows, "workload")
    if not rows:
        click.echo(f"{store} holds no rows; run 'cowbench run --store {store}'")
    elif sys.stdout.isatty():
        column = schema.METRICS[metric]
        _draw(f"{metric}: {column.description} [{column.unit}]", table, policies, workloads)
    else:
        click.echo("\t".join(["workload", *policies]))
        for workload in workloads:
            click.echo("\t".join([workload, *_line(table, policies, workload)]))


def _line(table: Table, policies: list[str], workload: str) -> list[str]:
    from cowbench.summary import MISSING

    return [table.get((policy, workload), MISSING).text for policy in policies]


def _draw(title: str, table: Table, policies: list[str], workloads: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(title), title_justify="left")
    grid.add_column("workload")
    for policy in policies:
        grid.add_column(Text(policy), justify="right", overflow="fold")
    for workload in workloads:
        grid.add_row(Text(workload), *map(Text, _line(table, policies, workload)))
    Console().print(grid)
