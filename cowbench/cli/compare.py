"""`cowbench compare`: what changed between two stores."""

from __future__ import annotations

from pathlib import Path

import click

from cowbench.cli import blocks

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
    blocks.show(told(family))
    wanted = {"worse": lambda one: one.verdict == "worse", "different": lambda one: one.verdict != "identical"}
    if fail_on is not None and any(map(wanted[fail_on], family.comparisons)):
        raise click.exceptions.Exit(1)
