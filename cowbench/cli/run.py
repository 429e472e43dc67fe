"""`cowbench run`: fill a store with trials."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cowbench.cli import cut, options

if TYPE_CHECKING:
    from cowbench import grid, sweep


@click.command("run")
@click.option("--policy", "-p", "policies", multiple=True, metavar="SPEC", help="Policies; all if left out.")
@click.option("--workload", "-w", "workloads", multiple=True, metavar="SPEC", help="Workloads; all if left out.")
@click.option("--spec", "trials", multiple=True, metavar="TRIAL", help="Trials as a report names them instead.")
@click.option("--seeds", type=click.IntRange(1), default=16, show_default=True, help="Seeds of a sampled workload.")
@options.store
@click.option("--jobs", "-j", type=click.IntRange(1), help="Processes; as many as there are CPUs if left out.")
@options.executor
@click.option("--profile", type=click.Path(path_type=Path), help="File of costs behind modelled times.")
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), help="Write the one cell's operations here.")
@click.option("--kernel", "-k", metavar="KERNEL", help="Run on a real kernel: host, a cached kernel or a bzImage.")
@click.option("--until-settled", is_flag=True, help="Add seeds where a comparison with the baseline is still open.")
@click.option("--baseline", metavar="POLICY", help="Of --until-settled; page_count, or the first, if left out.")
@click.option("--max-seeds", type=click.IntRange(2), help="Most seeds of a cell with --until-settled.  [default: 64]")
@click.option("--retry-failed", is_flag=True, help="Run cells again that failed before.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
def command(
    policies: tuple[str, ...],
    workloads: tuple[str, ...],
    trials: tuple[str, ...],
    seeds: int,
    store: Path,
    jobs: int | None,
    executor: str | None,
    profile: Path | None,
    record: Path | None,
    kernel: str | None,
    until_settled: bool,
    baseline: str | None,
    max_seeds: int | None,
    retry_failed: bool,
    quiet: bool,
) -> None:
    """Run policies on workloads; what the store holds already is not run again.

    SPEC is a name or the path of a file, with parameters: has_pinned:gfp=atomic,on_failure=share. Options can be
    repeated, and several specs be given with commas. Exit code 2 if a cell failed.

    With --kernel the kernel decides in place of a policy: rows of policy kernel:RELEASE hold what can be seen of it,
    and fork times as measured.

    With --until-settled seeds are doubled, up to --max-seeds, for every policy and workload of which a comparison with
    the baseline is not settled; the report then judges by the same looks (docs/statistics.md).
    """
    if kernel is not None:
        from cowbench.cli import kernel_run

        why = "says nothing to a real kernel"
        _refuse(why, policies=policies, spec=trials, jobs=jobs, executor=executor, profile=profile, record=record)
        _refuse(why, until_settled=until_settled, baseline=baseline, max_seeds=max_seeds)
        kernel_run.run(kernel, workloads, seeds, store, retry_failed, quiet)
        return
    if until_settled:
        _refuse("has nothing to settle, so it does not go with --until-settled", spec=trials, record=record)
    else:
        _refuse("belongs to --until-settled", baseline=baseline, max_seeds=max_seeds)
    if record is not None:
        _refuse("does not go with --record, which runs its one cell here", executor=executor)
    from cowbench import again, costs, grid, sweep
    from cowbench.cli.progress import Reporter
    from cowbench.errors import ParameterError, PluginError
    from cowbench.store import Store

    def skip(error: PluginError) -> None:
        click.echo(f"cowbench: skipped: {error}", err=True)

    prices = costs.read_profile(profile) if profile else costs.read_profile()
    if trials and (policies or workloads):
        raise ParameterError("--spec names policy and workload by itself; leave out --policy and --workload")
    chosen = ([], []) if trials else (grid.specs("policy", policies, skip), grid.specs("workload", workloads, skip))
    cells = [cell for trial in trials for cell in again.from_spec(trial, seeds, prices)] or grid.grid(
        *chosen, seeds, prices
    )
    if not quiet:
        cut.warn(cell.workload for cell in cells)
    words = shlex.join(["cowbench", *sys.argv[1:]])
    ran: list[sweep.Progress] = []
    with options.workers(executor, jobs) as workers, Store(store) as results, Reporter(quiet) as reporter:

        def fill(cells: Sequence[grid.Cell], looks: Sequence[int] = ()) -> None:
            done = sweep.sweep(
                cells,
                results,
                prices,
                workers=workers,
                retry_failed=retry_failed,
                record=record,
                looks=looks,
                command=words,
                report=reporter.update,
            )
            ran.append(done)

        settled = None
        try:
            if until_settled:
                from cowbench import settle

                against = baseline or settle.usual_baseline(chosen[0])
                settled = settle.until_settled(*chosen, against, (seeds, max_seeds or 64), results, prices, fill)
                cells = settled.cells
            else:
                fill(cells)
        except KeyboardInterrupt:
            click.echo(f"cowbench: interrupted; finished cells are in {store}, run again to go on", err=True)
            raise click.exceptions.Exit(130) from None
        failures = sweep.failures(results, cells)
    if not quiet:
        done, cached = sum(one.done for one in ran), sum(one.cached for one in ran)
        click.echo(f"{len(cells):,} cells in {store}: {done:,} run now, {cached:,} there before")
        if settled is not None:
            click.echo(settled.words)
    for line in failures:
        click.echo(f"cowbench: failed: {line}", err=True)
    if failures:
        raise click.exceptions.Exit(2)


def _refuse(why: str, **options: object) -> None:
    from cowbench.errors import ParameterError

    for name, value in options.items():
        if value:
            option = name.replace("policies", "policy").replace("_", "-")
            raise ParameterError(f"--{option} {why}; leave it out")
