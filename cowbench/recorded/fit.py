"""Estimates the parameters of a synthetic workload from a recording, so that a load can be shared as a few numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from cowbench import spec
from cowbench.errors import ParameterError, ProgramError
from cowbench.parameters import Value, nearest, spell
from cowbench.recorded.first_writes import first_writes
from cowbench.recorded.popularity import STEEPEST, Interval, Share, popularity
from cowbench.recorded.summary import Life, Summary
from cowbench.recorded.watch import summarize
from cowbench.report.prose import plural
from cowbench.spec import PluginSpec


@dataclass(frozen=True)
class Estimate:
    """A parameter. low, high: what it may be as well, or how it varied: `how` says which; None if it does not apply."""

    name: str
    value: Value
    how: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Fit:
    """A workload with the parameters of a recording. remarks: what of the recording it cannot show, in words."""

    workload: PluginSpec
    estimates: tuple[Estimate, ...]
    remarks: tuple[str, ...]


def fit(path: Path, workload: str) -> Fit:
    """Estimate the parameters of a workload from a recording.

    Raises ParameterError for a workload that cannot be fitted, ProgramError for a file that is no recording or nothing
    like the workload.
    """
    if workload not in FITS:
        raise ParameterError(f"workload '{workload}' cannot be fitted: {nearest(workload, FITS)}")
    summary = summarize(path)
    if not any(life.shared for life in summary.lives):
        raise ProgramError(f"{path}: nothing in it forks with memory to share, so there is nothing to fit")
    estimates, remarks = FITS[workload](path, summary)
    text = ",".join(f"{one.name}={spell(one.value)}" for one in estimates)
    try:
        made = spec.parse("workload", f"{workload}:{text}")
    except ParameterError as error:
        raise ProgramError(f"{path}: not like any {workload}: {error}; fit another workload") from None
    cut = [f"The recording was {summary.cut}; this is what it shows up to there."] if summary.cut else []
    return Fit(made, tuple(estimates), (*cut, *remarks))


def _forker(summary: Summary) -> tuple[int, list[Life]]:
    """Return the process that shared most with its children, and its lives."""
    parent = max(summary.parents, key=lambda one: sum(life.shared for life in summary.lives if life.parent == one))
    return parent, [life for life in summary.lives if life.parent == parent]


def _snapshot_store(path: Path, summary: Summary) -> tuple[list[Estimate], list[str]]:
    """A store that forks to save. Of commands, their written share and pages a write only the product shows."""
    parent, lives = _forker(summary)
    pages = round(statistics.mean(life.shared for life in lives))
    seconds = _spread([life.ms / 1000 for life in lives])
    default = spec.parse("workload", "snapshot_store").build()
    per_command = default.written * default.touched
    found = [
        Estimate("pages", pages, "mean of what was shared at forks", *_range([life.shared for life in lives])),
        Estimate("saves", len(lives), "forks"),
        _every(summary, lives),
        Estimate("disk", _round(pages / max(seconds.value, 1e-3)), *_life_words(pages, seconds)),
        Estimate("frees", _freed(lives), "whether children handed back more than half"),
    ]
    if any(life.by_parent for life in lives):
        share = Share(sum(life.by_parent for life in lives), sum(life.shared for life in lives), seconds.value)
        writes = popularity(first_writes(path, summary, parent), pages, share)
        low, high = (_round(end / per_command) for end in (writes.rate.low, writes.rate.high))
        rate = _round(writes.rate.value / per_command)
        found.append(Estimate("commands", rate, "share of pages written in a child's life, 95 %", low, high))
        found.append(
            Estimate("skew", round(writes.skew.value, 3), "maximum likelihood, 95 %", writes.skew.low, writes.skew.high)
        )
    else:
        found.append(Estimate("commands", 1.0, "the parent wrote nothing: the least there is"))
    return found, _not_shown(summary, lives, found)


def _freed(lives: Sequence[Life]) -> bool:
    return 2 * sum(life.freed for life in lives) > sum(life.shared for life in lives)


def _every(summary: Summary, lives: Sequence[Life]) -> Estimate:
    gaps = [(after.at - before.at) / 1000 for before, after in pairwise(lives)]
    if not gaps:
        return Estimate("every", _round(summary.ms / 1000), "one fork: the whole recording")
    least = 0.1  # of the workload; children that overlap are remarked on
    return Estimate("every", max(least, _round(statistics.mean(gaps))), "mean time between forks", *_range(gaps))


def _life_words(pages: int, seconds: Interval) -> tuple[str, float | None, float | None]:
    low, high = (_round(pages / max(end, 1e-3)) for end in (seconds.high, seconds.low))
    return f"pages over the mean child life of {seconds.value:.4g} s", low, high


def _spread(values: Sequence[float]) -> Interval:
    return Interval(statistics.mean(values), min(values), max(values))


def _range(values: Sequence[float]) -> tuple[float, float]:
    return _round(min(values)), _round(max(values))


def _round(value: float) -> float:
    """Cut to four digits: more would not be known."""
    return float(f"{value:.4g}")


def _not_shown(summary: Summary, lives: Sequence[Life], found: Sequence[Estimate]) -> list[str]:
    shared = sum(life.shared for life in lives)
    remarks = []
    if any(one.name == "skew" and one.high is not None and one.high >= STEEPEST for one in found):
        remarks.append(f"Writes may be more uneven than the steepest skew, {STEEPEST}, which is the workload's limit.")
    if by_child := sum(life.by_child for life in lives):
        remarks.append(f"Children wrote {by_child / shared:.1%} of the shared pages; those of the workload write none.")
    shares = [life.by_parent / life.shared for life in lives if life.shared]
    if len(shares) > 1 and max(shares) - min(shares) > UNEVEN * max(shares):
        remarks.append(
            f"The parent wrote {min(shares):.1%} to {max(shares):.1%} in a child's life; the workload is even."
        )
    if overlapping := sum(after.at < before.until for before, after in pairwise(lives)):
        remarks.append(f"{plural(overlapping, 'fork')} came while a child lived; the workload has one at a time.")
    if others := len(summary.lives) - len(lives):
        remarks.append(f"{plural(others, 'more fork')} by other processes; the workload has one that forks.")
    if held := sum(one.most for kind, one in summary.references.items() if "pin" in kind):
        remarks.append(f"{held:,} pages were pinned at once; the workload pins none (rdma_hidden_fork does).")
    return remarks


UNEVEN = 0.1
"""Shares of lives that differ by more, relative to the largest, are remarked on."""


def _rdma_hidden_fork(path: Path, summary: Summary) -> tuple[list[Estimate], list[str]]:
    """A process with pinned memory that forks children which exec soon."""
    _, lives = _forker(summary)
    pages = round(statistics.mean(life.shared for life in lives))
    pinned = sum(one.most for kind, one in summary.references.items() if kind == "long-term pin")
    if not pinned:
        raise ProgramError(f"{path}: nothing is pinned for long in it, so it is not like rdma_hidden_fork")
    shares = [life.by_parent / life.shared for life in lives if life.shared]
    raced = sum(life.by_parent for life in lives) / sum(life.shared for life in lives)
    found = [
        Estimate("pages", pages, "mean of what was shared at forks", *_range([life.shared for life in lives])),
        Estimate("pinned", _round(pinned / pages), "most pages pinned for long at once"),
        Estimate("forks", len(lives), "seen"),
        Estimate("raced", _round(raced), "written by the parent in children's lives", *_range(shares)),
        Estimate("dontfork", bool(summary.operations["dontfork"]), "seen"),
    ]
    return found, []


def _database_prefork(path: Path, summary: Summary) -> tuple[list[Estimate], list[str]]:
    """A server whose children write part of what they inherit, and pages of their own.

    A child's draws among inherited pages are estimated from how many different ones it wrote: n draws leave about
    p exp(-n/p) of p pages unwritten.
    """
    lives = [life for life in _forker(summary)[1] if life.shared]
    pages = round(statistics.mean(life.shared for life in lives))
    draws = [-pages * math.log1p(-min(life.by_child / life.shared, 1 - 0.5 / life.shared)) for life in lives]
    writes = [drawn + life.own for drawn, life in zip(draws, lives, strict=True)]
    share = sum(draws) / sum(writes) if any(writes) else 0.0
    found = [
        Estimate("pages", pages, "mean of what was shared at forks", *_range([life.shared for life in lives])),
        Estimate("connections", len(lives), "forks"),
        Estimate("backends", _most_at_once(lives), "most children at once"),
        Estimate("fewest", max(1, round(min(writes))), "least that a child wrote, in draws of pages"),
        Estimate("most", max(1, round(max(writes))), "most that a child wrote, in draws of pages"),
        Estimate("inherited", _round(share), "share of these draws among inherited pages"),
    ]
    remarks = []
    if by_parent := sum(life.by_parent for life in lives):
        shared = sum(life.shared for life in lives)
        remarks.append(f"The parent wrote {by_parent / shared:.1%} of the shared pages; the workload's never does.")
    return found, remarks


def _most_at_once(lives: Sequence[Life]) -> int:
    """Return how many lives there were at once, at most."""
    changes = sorted([(life.at, 1) for life in lives] + [(life.until, -1) for life in lives])
    return max(accumulate(change for _, change in changes))


FITS: dict[str, Callable[[Path, Summary], tuple[list[Estimate], list[str]]]] = {
    "snapshot_store": _snapshot_store,
    "rdma_hidden_fork": _rdma_hidden_fork,
    "database_prefork": _database_prefork,
}
"""Workloads that can be fitted."""
