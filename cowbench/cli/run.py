"""`cowbench run`: fill a store with trials."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import click

from cowbench.cli import options


@click.command("run")
@click.option("--policy", "-p", "policies", multiple=True, metavar="SPEC", help="Policies; all if left out.")
@click.option("--workload", "-w", "workloads", multiple=True, metavar="SPEC", help="Workloads; all if left out.")
@click.option("--spec", "trials", multiple=True, metavar="TRIAL", help="Trials as a report names them instead.")
@click.option("--seeds", type=click.IntRange(1), default=16, show_default=True, help="Seeds of a sampled workload.")
@options.store
@click.option("--jobs", "-j", type=click.IntRange(1), help="Processes; as many as there are CPUs if left out.")
@click.option("--profile", type=click.Path(path_type=Path), help="File of costs behind modelled times.")
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="Write the one cell's operations here.")
@click.option("--kernel", "-k", metavar="KERNEL", help="Run on a real kernel: host, a cached kernel or a bzImage.")
@click.option("--retry-failed", is_flag=True, help="Run cells again that failed before.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def command(
    policies: tuple[str, ...],
    workloads: tuple[str, ...],
    trials: tuple[str, ...],
    seeds: int,
    store: Path,
    jobs: int | None,
    profile: Path | None,
    record: Path | None,
    kernel: str | None,
    retry_failed: bool,
    quiet: bool,
) -> None:
    """Run policies on workloads; what the store holds already is not run again.

    SPEC is a name or the path of a file, with parameters: has_pinned:gfp=atomic,on_failure=share. Options can be
    repeated, and several specs be given with commas. Exit code 2 if a cell failed.

    With --kernel the kernel decides in place of a policy: rows of policy kernel:RELEASE hold what can be seen of it,
    and fork times as measured.
    """
    if kernel is not None:
        from cowbench.cli import kernel_run

        _refuse(policies=policies, spec=trials, jobs=jobs, profile=profile, record=record)
        kernel_run.run(kernel, workloads, seeds, store, retry_failed, quiet)
        return
    from cowbench import again, costs, grid, sweep
    from cowbench.cli.progress import Reporter
    from cowbench.errors import ParameterError, PluginError
    from cowbench.store import Store

    def skip(error: PluginError) -> None:
        click.echo(f"cowbench: skipped: {error}", err=True)

    prices = costs.read_profile(profile) if profile else costs.read_profile()
    if trials and (policies or workloads):
        raise ParameterError("--spec names policy and workload by itself; leave out --policy and --workload")
    if trials:
        cells = [cell for trial in trials for cell in again.from_spec(trial, seeds, prices)]
    else:
        chosen = grid.specs("policy", policies, skip), grid.specs("workload", workloads, skip)
        cells = grid.grid(*chosen, seeds, prices)
    words = shlex.join(["cowbench", *sys.argv[1:]])
    with Store(store) as results, Reporter(quiet) as reporter:
        try:
            done = sweep.sweep(
                cells,
                results,
                prices,
                jobs=jobs or os.cpu_count() or 1,
                retry_failed=retry_failed,
                record=record,
                command=words,
                report=reporter.update,
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


def _refuse(**options: object) -> None:
    from cowbench.errors import ParameterError

    for name, value in options.items():
        if value:
            raise ParameterError(f"--{name.replace('policies', 'policy')} says nothing to a real kernel; leave it out")
