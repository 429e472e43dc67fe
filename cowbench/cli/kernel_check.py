"""`cowbench kernel check`: random programs on a kernel and on the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.linux.check import Finding, Outcome


@click.command("check")
@click.option("--kernel", required=True, metavar="KERNEL", help="host, the path of a bzImage, or a name: debian:6.1.")
@click.option("--programs", "-n", type=click.IntRange(1), default=1000, show_default=True, help="How many to compare.")
@click.option("--policy", "-p", metavar="SPEC", help="What the model follows; the era of the release if left out.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the programs.")
@click.option("--start", type=click.IntRange(0), default=0, show_default=True, help="Number of the first program.")
@click.option(
    *("--output", "-o"),
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("differences"),
    show_default=True,
    help="Folder for the program file of each difference.",
)
@click.option("--store", type=click.Path(dir_okay=False, path_type=Path), help="Keep the outcome in this store too.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(
    kernel: str, programs: int, policy: str | None, seed: int, start: int, output: Path, store: Path | None, quiet: bool
) -> None:
    """Carry random programs out on a kernel and on the model, and compare what is seen after every operation.

    Each difference is shrunk on both, printed in words and written as a program file. Exit code 1 if there is one.
    Ctrl-C ends the check with the summary so far; --start goes on from a later program.
    """
    import time
    from contextlib import closing

    from cowbench import spec
    from cowbench.cli.progress import Reporter
    from cowbench.linux.check import Held, Outcome, check
    from cowbench.linux.era import era
    from cowbench.linux.opening import open_kernel
    from cowbench.sweep import Progress

    outcome, clock, interrupted = Outcome(), time.monotonic(), False
    with closing(open_kernel(kernel)) as opened, Reporter(quiet, things="programs") as reporter:
        parsed = spec.parse("policy", policy or era(opened.release))
        click.echo(f"{kernel}: Linux {opened.release}, held against {parsed.text}")
        if not opened.frames:
            click.echo("frame numbers cannot be read without root: only what is read is compared")

        def report(done: int) -> None:
            reporter.update(Progress(programs, done, 0, len(outcome.findings)))

        try:
            check(Held(opened, parsed.build()), seed, range(start, start + programs), outcome, report=report)
        except KeyboardInterrupt:
            interrupted = True
        release = opened.release
    for finding in outcome.findings:
        _show(finding, output, seed)
    _summary(outcome, time.monotonic() - clock)
    if store is not None:
        _keep(store, release, parsed.text, seed, outcome)
    if interrupted:
        click.echo("cowbench: interrupted", err=True)
        raise click.exceptions.Exit(130)
    if outcome.findings:
        raise click.exceptions.Exit(1)


def _show(finding: Finding, output: Path, seed: int) -> None:
    from cowbench.linux.draw import CONFIG
    from cowbench.program_file import write_program
    from cowbench.words import say_program

    output.mkdir(parents=True, exist_ok=True)
    file = output / f"seed{seed}-program{finding.number}.jsonl"
    write_program(file, CONFIG, finding.program)
    click.echo(f"\nprogram {finding.number} differs" + (", but not when carried out again" * finding.fleeting) + ":")
    for line in say_program(finding.program):
        click.echo(line)
    click.echo(finding.difference.where)
    for name, words in zip(finding.difference.names, finding.difference.outcomes, strict=True):
        click.echo(f"  {name}: {words}")
    click.echo(f"written to {file}")


def _summary(outcome: Outcome, seconds: float) -> None:
    words = f"{outcome.programs:,} programs with {outcome.operations:,} operations compared"
    rate = outcome.programs / seconds if seconds else 0.0
    click.echo(f"\n{words}, {len(outcome.findings)} differences, {rate:,.0f} programs/s")
    for reason, count in sorted(outcome.not_applicable.items()):
        click.echo(f"  {count:,} programs not applicable: {reason}")
    for reason, count in sorted(outcome.left_out.items()):
        click.echo(f"  {count:,} operations left out: {reason}")


def _keep(store: Path, release: str, policy: str, seed: int, outcome: Outcome) -> None:
    from datetime import UTC, datetime

    from cowbench.checks import Check
    from cowbench.store import Store

    excluded = {f"programs: {reason}": count for reason, count in outcome.not_applicable.items()}
    excluded |= {f"operations: {reason}": count for reason, count in outcome.left_out.items()}
    words = tuple(finding.difference.words for finding in outcome.findings)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with Store(store) as results:
        results.add_check(Check(now, release, policy, seed, outcome.programs, outcome.operations, words, excluded))
