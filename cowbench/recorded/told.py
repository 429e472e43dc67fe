"""The summary of a recording in words and tables, for the terminal and for a page."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterator

from cowbench.recorded.summary import Life, Seen, Summary
from cowbench.recording import Cut, End, Way
from cowbench.report import figures
from cowbench.report.model import Block, Bullets, Cell, Figure, Line, Mark, Paragraph, Strong, Table, Terms, count
from cowbench.report.prose import plural, spaced
from cowbench.summary import number

PAGE_KIB = 4
EVERY = 2000
"""Lives, and processes, that a page lists."""
NAMED = 8
"""Processes that forked of which each has a sentence; more are told of by program."""
HOW: dict[Way, str] = {
    "userfaultfd": "every written page is known (userfaultfd)",
    "soft-dirty": "every written page is known (soft-dirty)",
    "frame numbers": "sampled: a page is known to be written once it has another frame",
}


def facts(summary: Summary) -> Iterator[Block]:
    """Say what was recorded, how, and what was not seen."""
    known = summary.facts
    yield Terms(
        (
            ("program", shlex.join(known.program)),
            ("kernel", known.kernel),
            ("length", f"{seconds(summary.ms)}, {_ending(summary.end)}"),
            ("writes", f"{HOW[known.way]}; {known.order}, of {known.interval_ms:g} ms"),
            ("started", known.started),
            *_frames(summary),
            *((counter.name, f"{counter.value:,.10g} {counter.unit}".strip()) for counter in summary.counters),
            *(("missed", f"{amount:,} {what}") for what, amount in summary.missed.items()),
        )
    )
    for cost in summary.overhead:
        each = f" of {cost.fault_ns:,.0f} ns" if cost.fault_ns else ""
        faults = f"{plural(cost.faults, 'more fault')}{each}"
        yield Paragraph(
            f"Recording cost it {seconds(cost.waited_ms)} of waiting and {faults}; memory was looked at for "
            f"{seconds(cost.scanned_ms)}.",
            "note",
        )
    if not summary.operations["read"]:
        yield Paragraph("Reads were not seen: this kernel does not tell which pages a program reads.", "note")


def _ending(end: End | Cut) -> str:
    if isinstance(end, Cut):
        return end.words
    return f"until {end.why}" + ("" if end.status is None else f"; exit status {end.status}")


def _frames(summary: Summary) -> list[tuple[str, str]]:
    """Say what the kernel showed of copies, in the looks at frame numbers that the recording notes."""
    if not summary.frames:
        return []
    changed, present = (sum(getattr(note, name) for note in summary.frames) for name in ("changed", "present"))
    return [
        ("frames changed", f"{changed:,} of {present:,} pages had another frame at the next look: the kernel copied")
    ]


def forks(summary: Summary, most: int = EVERY) -> Iterator[Block]:
    """Say who forked, how long children shared memory, and how much of it was written meanwhile.

    most: lives that are listed, those in which most was written.
    """
    if not summary.lives:
        yield Paragraph("Nothing was forked, so nothing was shared and nothing can be copied on write.")
        return
    yield Bullets(tuple((Strong(name), _of_parents(lives)) for name, lives in _by_parent(summary).items()))
    largest = sorted(summary.lives, key=lambda life: (-life.by_parent - life.by_child, life.child))[:most]
    lives = sorted(largest, key=lambda life: life.child)
    caption = (
        "Child lives: from a fork to the exit or exec of either side, and the shared pages that were written in it"
    )
    head = ("child", "parent", "fork at", "lived", "ended by", "shared pages", "written by parent", "written by child")
    yield Table("lives", caption, head, tuple(_life(summary, life) for life in lives))
    yield from _left_out(len(summary.lives) - len(lives), "life", "lives")


def _left_out(more: int, one: str, many: str) -> Iterator[Block]:
    if more:
        yield Paragraph(f"{plural(more, f'more {one}', f'more {many}')} in which less was written.", "note")


def _by_parent(summary: Summary) -> dict[str, list[Life]]:
    """Return lives by the process that forked; by its program if there are many."""
    by_parent: dict[str, list[Life]] = {}
    for life in summary.lives:
        name = _name(summary, life.parent)
        by_parent.setdefault(name if len(summary.parents) <= NAMED else name.rpartition(" ")[0], []).append(life)
    return by_parent


def _of_parents(lives: list[Life]) -> str:
    shared = sum(life.shared for life in lives)
    by_parent, by_child = (sum(getattr(life, side) for life in lives) for side in ("by_parent", "by_child"))
    middle = seconds(statistics.median(life.ms for life in lives))
    times = "once" if len(lives) == 1 else f"{len(lives):,} times"
    written = f"it wrote {percent(by_parent, shared)} meanwhile, its children {percent(by_child, shared)}"
    return f" forked {times}; a child shared memory for {middle} (median). Of {number(shared)} shared pages {written}."


def _life(summary: Summary, life: Life) -> Line:
    return (
        _name(summary, life.child),
        _name(summary, life.parent),
        Cell(seconds(life.at), life.at / 1000),
        Cell(seconds(life.ms), life.ms / 1000),
        life.ending,
        count(life.shared),
        _share(life.by_parent, life.shared),
        _share(life.by_child, life.shared),
    )


def _share(part: int, whole: int) -> Cell:
    return Cell(f"{number(part)} ({percent(part, whole)})", part)


def references(summary: Summary) -> Iterator[Block]:
    """Say which pages were pinned or referenced by devices and pipes."""
    if not summary.references:
        yield Paragraph("No memory was pinned or lent to a device or a pipe.")
        return
    head = ("reference", "taken", "pages", "most at once", "held for (mean)", "device writes", "device reads")
    rows: list[Line] = []
    for kind, some in summary.references.items():
        held = seconds(some.held_ms / some.released) if some.released else "to the end"
        counts = (count(some.taken), count(some.pages), count(some.most))
        rows.append((kind, *counts, held, count(some.device_writes), count(some.device_reads)))
    yield Table("references", "Pins and gets: memory that a device or a pipe may use", head, tuple(rows))


def operations(summary: Summary, most: int = EVERY) -> Iterator[Block]:
    """Count everything that happened. most: processes that are listed, those that wrote most."""
    rows: tuple[Line, ...] = tuple(
        (spaced(name), count(times), count(summary.pages[name])) for name, times in summary.operations.most_common()
    )
    yield Table("operations", "Operations", ("operation", "times", "pages"), rows)
    listed = sorted(summary.processes, key=lambda seen: (-seen.page_writes, seen.handle))[:most]
    head = ("process", "program", "born", "ended", "pages written")
    yield Table("processes", "Processes", head, tuple(_process(summary, seen) for seen in listed))
    yield from _left_out(len(summary.processes) - len(listed), "process", "processes")


def _process(summary: Summary, seen: Seen) -> Line:
    ended = Cell("") if seen.ended is None else Cell(seconds(seen.ended), seen.ended / 1000)
    return (
        _name(summary, seen.handle),
        seen.exe,
        Cell(seconds(seen.born), seen.born / 1000),
        ended,
        count(seen.page_writes),
    )


def working_set(summary: Summary) -> Iterator[Block]:
    """Show how many pages are written within windows of time."""
    points = summary.working_set.curve()
    last = points[-1]
    yield Paragraph(
        f"{number(round(points[0][1]))} pages are written in {seconds(points[0][0])} on average, "
        f"{number(round(last[1]))} in {seconds(last[0])}; at most {memory(summary.largest)} were there at once, "
        "counted in each process."
    )
    yield _curve(points)
    rows: tuple[Line, ...] = tuple((seconds(ms), count(round(pages))) for ms, pages in points)
    caption = "Working set: distinct pages written within a window, as a mean over all moments"
    yield Table("working-set", caption, ("window", "pages"), rows)


def _curve(points: list[tuple[float, float]]) -> Figure:
    marks: dict[str, Mark] = {}
    with figures.figure(9, 3) as (drawn, axes):
        axes.plot([ms / 1000 for ms, _ in points], [pages for _, pages in points], color=figures.COLOURS[0])
        for ms, pages in points:
            (dot,) = axes.plot(ms / 1000, pages, "o", color=figures.COLOURS[0])
            figures.mark(marks, dot, f"{seconds(ms)}: {number(round(pages))} pages")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        axes.set_xlabel("window, s")
        axes.set_ylabel("pages written")
        caption = "Pages written within a window of time"
        return figures.finish(drawn, "working-set-curve", caption, f"{caption}; numbers in the table below", marks)


def _name(summary: Summary, handle: int) -> str:
    seen = summary.processes[handle]
    short = seen.exe.rsplit("/", 1)[-1] or "process"
    return f"{short} {seen.pid if seen.pid is not None else handle}"


def seconds(ms: float) -> str:
    """Write a time so that it is read easily."""
    return f"{ms:,.3g} ms" if ms < 1000 else f"{ms / 1000:,.4g} s"


def percent(part: float, whole: float) -> str:
    """Write a share."""
    return f"{part / whole:.1%}" if whole else "none"


def memory(pages: int) -> str:
    """Write pages as memory."""
    kib = pages * PAGE_KIB
    return f"{kib / 1024:,.4g} MiB" if kib >= 1024 else f"{kib} KiB"


def title(summary: Summary) -> str:
    """Return a heading for what was recorded."""
    return f"Recording of {summary.facts.program[0].rsplit('/', 1)[-1] if summary.facts.program else 'a program'}"
