"""`cowbench fit`: a recording becomes a few numbers."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cowbench.cli import blocks


@click.command("fit")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--workload", "-w", required=True, help="snapshot_store, database_prefork or rdma_hidden_fork.")
@click.option("--policy", "-p", "policies", multiple=True, metavar="SPEC", help="Policies to compare under; else all.")
@click.option("--seeds", type=click.IntRange(1), default=4, show_default=True, help="Seeds of the fitted workload.")
@click.option("--jobs", "-j", type=click.IntRange(1), help="Processes; as many as there are CPUs if left out.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
def command(file: Path, workload: str, policies: tuple[str, ...], seeds: int, jobs: int | None, quiet: bool) -> None:
    """Estimate the parameters of a workload from the recording FILE, and hold the copies of both against each other.

    The spec it prints can be shared in place of the recording, and run: cowbench run --workload SPEC. In a pipe
    tables are tab-separated.
    """
    from cowbench import grid
    from cowbench.cli.progress import Reporter
    from cowbench.recorded.fit import fit
    from cowbench.recorded.matching import matches, told

    found = fit(file, workload)
    chosen = grid.specs("policy", policies)
    with Reporter(quiet) as reporter:
        compared = matches(file, found.workload, chosen, seeds, jobs or os.cpu_count() or 1, reporter.update)
    blocks.show(told(found, compared, seeds))
