"""`cowbench run --kernel K`: fill a store with trials that a real kernel carried out."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import click

from cowbench.cli.progress import Reporter
from cowbench.errors import KernelError


def run(kernel: str, workloads: tuple[str, ...], seeds: int, store: Path, retry_failed: bool, quiet: bool) -> None:
    """Run workloads on a kernel; what the store holds already is not run again. Exit code 2 if a cell failed."""
    from cowbench import grid, sweep
    from cowbench.linux import opening, running
    from cowbench.store import Store

    chosen = grid.specs("workload", workloads, lambda error: click.echo(f"cowbench: skipped: {error}", err=True))
    with ExitStack() as stack:
        machine = stack.enter_context(closing(opening.open_kernel(kernel)))
        if not machine.frames:
            raise KernelError(f"{kernel}: only root may see which frames a process maps; run as root")
        cells = running.grid(machine.release, opening.build_of(kernel), chosen, seeds)
        results, reporter = stack.enter_context(Store(store)), stack.enter_context(Reporter(quiet))
        words = shlex.join(["cowbench", *sys.argv[1:]])
        try:
            done = running.run(
                machine, cells, results, retry_failed=retry_failed, command=words, report=reporter.update
            )
        except KeyboardInterrupt:
            click.echo(f"cowbench: interrupted; finished cells are in {store}, run again to go on", err=True)
            raise click.exceptions.Exit(130) from None
        failures = sweep.failures(results, cells)
    if not quiet:
        click.echo(f"{len(cells):,} cells in {store}: {done.done:,} run now, {done.cached:,} there before")
    for line in failures:
        click.echo(f"cowbench: failed: {line}", err=True)
    if failures:
        raise click.exceptions.Exit(2)
