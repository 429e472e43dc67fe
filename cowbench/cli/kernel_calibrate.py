"""`cowbench kernel calibrate`: the costs of a kernel, as a profile."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.linux.calibration import Calibration
    from cowbench.linux.timing import Place, Timer


@click.command("calibrate")
@click.option(
    "--kernel", "-k", default="host", show_default=True, help="host, the name of a cached kernel or a bzImage."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("profile.json"),
    show_default=True,
    help="File for the profile.",
)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw fork latency; a .svg or .png file.")
@click.option(
    "--pages", type=click.IntRange(256), default=1 << 18, show_default=True, help="Largest size, in pages of 4 KiB."
)
@click.option(
    "--repeats", type=click.IntRange(1), default=5, show_default=True, help="Times that each size is measured."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the order and the intervals."
)
@click.option("--force", is_flag=True, help="Also under an emulator, where times mean nothing; the profile says so.")
def command(kernel: str, output: Path, plot: Path | None, pages: int, repeats: int, seed: int, force: bool) -> None:
    """Measure what fork, faults, pins and exit cost on a kernel, and write a profile for `cowbench run --profile`.

    Sizes are measured in random order, fitted by lines, and the model is held against forks of sizes that were
    left out. Takes a few minutes, most of it in the kernel.
    """
    from datetime import UTC, datetime

    from numpy.random import default_rng

    from cowbench.cli.progress import Reporter
    from cowbench.errors import KernelError
    from cowbench.linux import curve, profiles
    from cowbench.linux.calibrate import calibrate
    from cowbench.linux.calibration import Grid
    from cowbench.sweep import Progress

    profiles.check_targets(output, plot)
    with _opened(kernel, pages) as (timer, place), Reporter(quiet=False, things="samples") as reporter:
        if place.emulated and not force:
            raise KernelError(f"{place.cpu} is an emulator: its times mean nothing; --force measures all the same")
        grid = Grid(pages, repeats, swap=kernel != "host")
        done = calibrate(
            timer, place, grid, default_rng(seed), lambda done, total: reporter.update(Progress(total, done, 0, 0))
        )
    profiles.write(done, output, datetime.now(UTC).isoformat(timespec="seconds"))
    if plot is not None:
        curve.draw(done, plot)
    _show(done)
    click.echo(f"\nprofile in {output}; use it with 'cowbench run --profile {output}'")


def _opened(kernel: str, pages: int) -> AbstractContextManager[tuple[Timer, Place]]:
    from cowbench.linux import opening, timing

    return timing.host(pages) if kernel == "host" else timing.guest(kernel, opening.image_path(kernel), pages)


def _show(done: Calibration) -> None:
    place = done.place
    click.echo(f"Linux {place.release}, {place.cpu}" + (", EMULATED: times mean nothing" if place.emulated else ""))
    click.echo(f"{'cost':18} {'ns':>10}  95 % interval")
    for entry, cost in done.profile.costs.items():
        between = "{:,.1f} to {:,.1f}".format(*cost.interval) if cost.interval else ""
        notes = [between] if between else []
        notes += [cost.source.partition(" of a whole early copy")[0]] if between and cost.assumed else []
        notes += done.flags.get(entry, [])
        notes += [f"published: {done.unmeasured[entry]}"] if entry in done.unmeasured else []
        click.echo(f"{entry:18} {cost.ns:>10,.1f}  {'; '.join(notes)}")
    if done.early is not None:
        click.echo("a whole early copy {:,.0f} ns, {:,.0f} to {:,.0f}".format(*done.early))
    click.echo("\nforks of sizes held back from the fit")
    click.echo(f"{'pages':>10} {'pinned':>10} {'measured':>12} {'modelled':>12}  error")
    for held in done.held_back:
        times = f"{held.measured / 1000:>9,.0f} us {held.modelled / 1000:>9,.0f} us"
        click.echo(f"{held.pages:>10,} {held.pinned:>10,} {times}  {held.error:+.1%}")
    click.echo(f"median error {done.error:.1%}")
    for line in done.warnings:
        click.echo(f"cowbench: warning: {line}", err=True)
