"""What driving a program alone and recorded gave, and the recording held against the kernel's and its own counters."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path

from cowbench import recording
from cowbench.drivers import held, postgres_backends, prefork_server, python_pool, redis_bgsave, taskstats
from cowbench.drivers.held import Comparison
from cowbench.drivers.running import Counted, Load, Save
from cowbench.errors import KernelError, ParameterError
from cowbench.parameters import nearest
from cowbench.policy import Policy
from cowbench.program_file import ProgramWriter, read_first, read_header, read_records
from cowbench.recording import End

PAGE = 4096


def off(predicted: int, counted: int) -> float:
    """Return how far a prediction is off, as a share of what was counted; infinite where nothing was."""
    return (predicted - counted) / counted if counted else (inf if predicted else 0.0)


@dataclass(frozen=True)
class Own:
    """A number that the program or the kernel counted itself, in pages, and what the model says it should be."""

    name: str
    counted: int
    predicted: int

    @property
    def off(self) -> float:
        """How far the model is off, as a share."""
        return off(self.predicted, self.counted)


@dataclass(frozen=True)
class Part:
    """A program, or one of its forks where it counts by fork.

    changed, predicted: pages that changed their frame, on the kernel and on the model. counters: other numbers.
    """

    name: str
    changed: int
    predicted: int
    counters: tuple[Own, ...]

    @property
    def off(self) -> float:
        """How far the model is off the pages that changed their frame, as a share."""
        return off(self.predicted, self.changed)


@dataclass(frozen=True)
class Outcome:
    """One program: alone and recorded. file: the recording. took_s: of driving it recorded, from start to end."""

    alone: Counted | None
    recorded: Counted
    file: Path
    took_s: float
    parts: tuple[Part, ...]

    @property
    def slower(self) -> float | None:
        """How many times fewer operations a second there were while recording; None if it did not run alone."""
        return self.alone.rate / self.recorded.rate if self.alone else None


@dataclass(frozen=True)
class Driver:
    """How to run a program, and how big and long it is run unless told otherwise."""

    run: Callable[[Load], Counted]
    usual: Load


DRIVERS = {
    "redis_bgsave": Driver(redis_bgsave.run, redis_bgsave.DEFAULT),
    "python_pool": Driver(python_pool.run, python_pool.DEFAULT),
    "postgres_backends": Driver(postgres_backends.run, postgres_backends.DEFAULT),
    "prefork_server": Driver(prefork_server.run, prefork_server.DEFAULT),
}


def driver(name: str) -> Driver:
    """Return the driver of a program. Raises ParameterError if there is none."""
    if name not in DRIVERS:
        raise ParameterError(f"no program '{name}': {nearest(name, DRIVERS)}")
    return DRIVERS[name]


def drive(name: str, load: Load, policy: Policy, alone: bool) -> Outcome:
    """Run a program alone (if asked) and recorded, and hold the recording against what was counted.

    Raises KernelError for a program that is missing or fails, and what `held.compare` raises.
    """
    run, file = driver(name).run, load.file
    assert file is not None
    first = run(replace(load, file=None)) if alone else None
    begun = time.monotonic()
    counting = not taskstats.missing()
    with taskstats.Exits() if counting else nullcontext() as exits:
        recorded = run(load)
    took = time.monotonic() - begun
    counts = dict(exits.copies) if exits is not None else {}
    parts = _parts(name, recorded, held.compare(file, policy), counts)
    add_counters(file, (counter for part in parts for counter in part.counters))
    return Outcome(first, recorded, file, took, parts)


def add_counters(file: Path, counters: Iterable[Own]) -> None:
    """Put what was counted into a recording, before its end. Raises ProgramError if it cannot be read or written."""
    facts, config = read_first(file)["recorded"], read_header(file)
    part = file.with_name(f"part-{file.name}")
    with ProgramWriter(part, config, facts) as writer:
        for _, record in read_records(file):
            if record.get("note") == End.kind:
                for counter in counters:
                    note = recording.Counter(counter.name, counter.counted, "pages")
                    writer.line({"note": note.kind, **asdict(note)})
            writer.line(record)
    part.replace(file)


def _parts(name: str, recorded: Counted, comparison: Comparison, exits: dict[int, int]) -> tuple[Part, ...]:
    if recorded.saves:
        return _saves(name, recorded, comparison)
    ended = [one for one in comparison.ended if one.pid in exits]
    counted, predicted = sum(exits[one.pid] for one in ended), sum(one.copied for one in ended)
    counters = (Own("wpcopy of children", counted, predicted),) if ended else ()
    return (Part(name, comparison.changed, comparison.predicted, counters),)


def _saves(name: str, recorded: Counted, comparison: Comparison) -> tuple[Part, ...]:
    """Return a part a BGSAVE: they belong to the program's forks, in order."""
    children = sorted({one.child for one in comparison.held if one.child != one.process})
    if len(children) != len(recorded.saves):
        raise KernelError(f"{name}: {len(recorded.saves)} forks were asked for, the recording has {len(children)}")
    return tuple(
        _part(f"{name}, {save.rate:,.0f} SETs/s", save, child, comparison)
        for child, save in zip(children, recorded.saves, strict=True)
    )


def _part(name: str, save: Save, child: int, comparison: Comparison) -> Part:
    stretches = [one for one in comparison.held if one.child == child]
    copied = sum(one.copied for one in stretches if one.process != child)
    own = sum(one.own for one in comparison.ended if one.process == child)
    counters = [Own("rdb_last_cow_size", save.cow_bytes // PAGE, own)]
    if save.wpcopy is not None:
        counters.append(Own("wpcopy of the server", save.wpcopy, copied))
    changed, predicted = sum(one.changed for one in stretches), sum(one.predicted for one in stretches)
    return Part(name, changed, predicted, tuple(counters))
