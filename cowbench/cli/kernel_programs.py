"""`cowbench kernel programs`: real programs on this kernel, recorded and held against the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.drivers.outcome import Outcome, Part

HEAD = ("program", "changed", "predicted", "off", "own counter", "counted", "predicted", "off")
WIDTHS = (32, -9, -9, -8, 20, -9, -9, -8)
"""Of the columns; negative ones are set to the right."""


@click.command("programs")
@click.argument("names", nargs=-1, metavar="[PROGRAM]...")
@click.option("--size", type=click.IntRange(1), help="How many objects a program holds; its own default if left out.")
@click.option("--seconds", type=click.FloatRange(1), help="How long each is driven; its own default if left out.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of what is asked of them.")
@click.option("--policy", "-p", metavar="SPEC", help="What the model follows; the era of this kernel if left out.")
@click.option(
    *("--output", "-o"),
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("recordings"),
    show_default=True,
    help="Folder for the recordings.",
)
@click.option("--interval", type=click.FloatRange(1), default=10.0, show_default=True, help="Of the recording, in ms.")
@click.option("--within", type=click.FloatRange(0), metavar="PERCENT", help="Exit code 1 if one is further off.")
@click.option("--only-recorded", is_flag=True, help="Do not run each program alone first to see what recording costs.")
def command(
    names: tuple[str, ...],
    size: int | None,
    seconds: float | None,
    seed: int,
    policy: str | None,
    output: Path,
    interval: float,
    within: float | None,
    only_recorded: bool,
) -> None:
    """Drive real programs that fork, record them, and hold the model against what their memory really did.

    PROGRAM is redis_bgsave, python_pool, postgres_backends or prefork_server; all if none is given. Changed are pages
    whose frame was another one after a fork, on this kernel and on the model. Needs root, and Debian's redis-server,
    postgresql and gunicorn.
    """
    import os

    from cowbench import spec
    from cowbench.drivers import outcome, taskstats
    from cowbench.drivers.running import Load
    from cowbench.linux.era import era
    from cowbench.record import ways

    ways.check_here()
    chosen = {name: outcome.driver(name) for name in names} or outcome.DRIVERS
    release = os.uname().release
    parsed = spec.parse("policy", policy or era(release))
    click.echo(f"Linux {release}, held against {parsed.text}")
    if why := taskstats.missing():
        click.echo(f"the kernel's own counts of copies are left out: {why}")
    output.mkdir(parents=True, exist_ok=True)
    worst = 0.0
    click.echo(_aligned(HEAD))
    for name, driver in chosen.items():
        file, usual = output / f"{name}.jsonl.gz", driver.usual
        load = Load(size or usual.size, seconds or usual.seconds, seed, file, interval)
        runs = "recorded" if only_recorded else "alone, then recorded"
        click.echo(f"{name}: {runs}, about {load.seconds:g} s and what it takes to start and end", err=True)
        done = outcome.drive(name, load, parsed.build(), alone=not only_recorded)
        _show(name, done)
        worst = max(worst, *(abs(part.off) for part in done.parts))
    if within is not None and worst > within / 100:
        click.echo(f"furthest off: {worst:.2%}, more than {within:g} %", err=True)
        raise click.exceptions.Exit(1)


def _show(name: str, outcome: Outcome) -> None:
    for part in outcome.parts:
        for line in _lines(part):
            click.echo(_aligned(line))
    kib = outcome.file.stat().st_size / 1024
    click.echo(f"{name}: {outcome.file} {kib:,.0f} KiB, {outcome.took_s:.1f} s, {_cost(outcome)}\n")


def _lines(part: Part) -> list[list[str]]:
    first = [part.name, f"{part.changed:,}", f"{part.predicted:,}", f"{part.off:+.2%}"]
    others = [[one.name, f"{one.counted:,}", f"{one.predicted:,}", f"{one.off:+.2%}"] for one in part.counters]
    return [first + others[0] if others else first, *([""] * 4 + other for other in others[1:])]


def _aligned(words: Sequence[str]) -> str:
    cells = (f"{word:{'<' if width > 0 else '>'}{abs(width)}}" for word, width in zip(words, WIDTHS, strict=False))
    return "  ".join(cells).rstrip()


def _cost(outcome: Outcome) -> str:
    words = f"{outcome.recorded.rate:,.0f} operations/s while recorded"
    if outcome.alone is None or outcome.slower is None:
        return words
    return f"{words}, {outcome.alone.rate:,.0f} alone: {outcome.slower:.2f} times slower"
