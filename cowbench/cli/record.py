"""`cowbench record`: a real program becomes a program file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cowbench.cli.duration import Duration

if TYPE_CHECKING:
    from cowbench.record.run import Outcome


@click.command("record", context_settings={"ignore_unknown_options": True})
@click.option("--output", type=click.Path(path_type=Path), help="The recording; .gz. With --summary: a folder.")
@click.option("--summary", type=click.Path(path_type=Path), help="Show this recording; with --output as a page, too.")
@click.option("--interval", type=Duration("ms"), default="10ms", show_default=True, help="Between two looks.")
@click.option("--for", "seconds", type=Duration("s"), help="End the recording after so long, as in 20s.")
@click.option("--stop", is_flag=True, help="End the program, too, with SIGTERM when the recording ends.")
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
def command(
    output: Path | None,
    summary: Path | None,
    interval: float,
    seconds: float | None,
    stop: bool,
    program: tuple[str, ...],
) -> None:
    """Run PROGRAM and record what it and its children do to their memory; or show what a recording holds."""
    if summary is not None:
        from cowbench.cli import record_summary

        if program:
            raise click.UsageError("--summary shows a recording that is there; leave out the program")
        record_summary.show(summary, output)
        return
    if output is None or not program:
        raise click.UsageError("give --output FILE and the program to record, or --summary FILE")
    from cowbench.record.run import Options, record

    outcome = record(program, output, Options(interval * 1000, seconds, stop))
    _tell(output, outcome)


def _tell(output: Path, outcome: Outcome) -> None:
    done = ", ".join(f"{count:,} {kind}" for kind, count in sorted(outcome.operations.items()))
    click.echo(f"{output}: {outcome.ms / 1000:.1f} s, {output.stat().st_size:,} bytes; {outcome.why}", err=True)
    click.echo(f"operations: {done}; {outcome.pages_written:,} pages written", err=True)
    for what, count in outcome.missed.items():
        click.echo(f"missed: {count:,} {what}", err=True)
