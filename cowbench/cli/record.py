"""`cowbench record`: a real program becomes a program file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cowbench.cli.duration import Duration

if TYPE_CHECKING:
    from cowbench.record.run import Outcome
    from cowbench.recording import Way


_WAYS: dict[str, Way] = {"userfaultfd": "userfaultfd", "soft-dirty": "soft-dirty", "frames": "frame numbers"}


@click.command("record", context_settings={"ignore_unknown_options": True})
@click.option("--output", type=click.Path(path_type=Path), help="The recording; .gz. With --summary: a folder.")
@click.option("--summary", type=click.Path(path_type=Path), help="Show this recording; with --output as a page, too.")
@click.option("--interval", type=Duration("ms"), default="10ms", show_default=True, help="Between two looks.")
@click.option("--for", "seconds", type=Duration("s"), help="End the recording after so long, as in 20s.")
@click.option("--stop", is_flag=True, help="End the program, too, with SIGTERM when the recording ends.")
@click.option("--way", type=click.Choice([*_WAYS]), help="How to find written pages.  [default: the best there is]")
@click.argument("program", nargs=-1, type=click.UNPROCESSED)
def command(
    output: Path | None,
    summary: Path | None,
    interval: float,
    seconds: float | None,
    stop: bool,
    way: str | None,
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

    outcome = record(program, output, Options(interval * 1000, seconds, stop, _WAYS[way] if way else None))
    _tell(output, outcome)


def _tell(output: Path, outcome: Outcome) -> None:
    done = ", ".join(f"{count:,} {kind}" for kind, count in sorted(outcome.operations.items()))
    lines = [
        f"{output}: {outcome.ms / 1000:.1f} s, {output.stat().st_size:,} bytes; {outcome.why}",
        f"operations: {done}; {outcome.pages_written:,} pages written",
        _told_by(outcome.way),
        *([_cost(outcome)] if outcome.way == "userfaultfd" else []),
        *(f"missed: {count:,} {what}" for what, count in sorted(outcome.missed.items())),
    ]
    click.echo("\n".join(lines), err=True)


def _told_by(way: Way) -> str:
    if way == "frame numbers":
        return (
            "sampled: this way sees only writes that changed a frame, so replay it on the kernel it was made on; exact "
            "recording takes Linux 6.7 or later with userfaultfd"
        )
    return f"written pages were told by {way}: none is missing, the order within an interval is not known"


def _cost(outcome: Outcome) -> str:
    cost = outcome.overhead
    faults = cost.faults * cost.fault_ns / 1e6
    share = (cost.waited_ms + faults) / max(outcome.ms, 1)
    return (
        f"overhead: it waited {cost.waited_ms:,.0f} ms for the recorder, and {cost.faults:,} writes took "
        f"{cost.fault_ns / 1000:.1f} µs longer, {faults:,.0f} ms in all: {share:.1%} of the time recorded, over all "
        f"processes; meanwhile looks kept another CPU busy for {cost.scanned_ms:,.0f} ms"
    )
