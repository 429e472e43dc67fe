"""The picture of writes over time and address: a heat map of all processes, above it who lived when."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cowbench.operations import Write
from cowbench.recorded.summary import Summary
from cowbench.recording import CHUNK, Time, read_lines
from cowbench.report import figures
from cowbench.report.model import Download, Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS, ROWS = 240, 200
"""At most so many cells of the map along time and addresses."""
LABELS = 10
"""At most so many addresses, and processes, that are named."""
APART = 0.03
"""Share of the height between addresses, so that they can be read."""
FAR = 16
"""Chunks (1 MiB) between pieces of memory that are told apart."""


@dataclass(frozen=True)
class Heat:
    """Page writes in cells of `ms` milliseconds and `chunks` chunks of memory, ascending by address.

    counts: int64 (rows, columns). starts: rows at which memory begins that is far from that before, with its address in
    64 KiB, or chunk number if addresses are not known.
    """

    counts: npt.NDArray[np.int64]
    ms: float
    chunks: int
    starts: list[tuple[int, int]]
    addressed: bool


def heat(path: Path, summary: Summary) -> Heat:
    """Read a recording once more, after its summary, and count writes by time and address."""
    places = _places(summary)
    order = np.argsort(places, kind="stable")
    chunks = max(1, -(-len(order) // ROWS))
    rows = np.empty(len(order), np.int64)
    rows[order] = np.arange(len(order)) // chunks
    intervals = max(1, round(summary.ms / summary.facts.interval_ms))
    per_column = -(-intervals // COLUMNS)
    ms = per_column * summary.facts.interval_ms
    counts = np.zeros((int(rows.max()) + 1, -(-intervals // per_column)), np.int64)
    _count(path, counts, rows, ms)
    return Heat(counts, ms, chunks, _starts(places[order], chunks), bool(summary.addresses))


def _count(path: Path, counts: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], ms: float) -> None:
    """Add all writes to `counts`; rows: of each chunk. A moment ends the interval that it names."""
    column = 0
    for line in read_lines(path):
        if isinstance(line, Time):
            column = min(max(0, math.ceil(round(line.ms / ms, 6)) - 1), counts.shape[1] - 1)
        elif isinstance(line, Write):
            counts[:, column] += np.bincount(rows[_numbers(line) // CHUNK], minlength=len(counts))


def _numbers(line: Write) -> npt.NDArray[np.int64]:
    pages = line.pages
    return np.arange(pages.start, pages.stop) if isinstance(pages, range) else np.asarray(pages, np.int64)


def _places(summary: Summary) -> npt.NDArray[np.int64]:
    """Return the address of each chunk in 64 KiB; chunks without one follow by number."""
    known = np.array(summary.addresses, np.int64)
    after = int(known.max(initial=-1)) + 1
    return np.concatenate((known, after + np.arange(max(1, summary.chunks) - len(known))))


def _starts(sorted_places: npt.NDArray[np.int64], chunks: int) -> list[tuple[int, int]]:
    """Return where pieces of memory begin: row and address; of many only the largest pieces are kept."""
    if not len(sorted_places):
        return []
    breaks = np.concatenate(([0], np.flatnonzero(np.diff(sorted_places) > FAR) + 1))
    sizes = np.diff(np.concatenate((breaks, [len(sorted_places)])))
    largest = np.sort(breaks[np.argsort(-sizes, kind="stable")[:LABELS]])
    return [(int(start) // chunks, int(sorted_places[start])) for start in largest]


def draw(map_: Heat, summary: Summary) -> tuple[Figure, bytes]:
    """Return the picture as a part of a report, and as a PNG."""
    from matplotlib.colors import LogNorm

    bars = _bars(summary)
    strip = 0.2 + 0.16 * len(bars)
    with figures.figure(9, 5 + strip) as (drawn, axes):
        axes.remove()
        above, below = drawn.subplots(2, 1, sharex=True, height_ratios=[strip, 4.5])
        _lives(above, summary, bars)
        shown = np.ma.masked_equal(map_.counts, 0)
        extent = (0.0, map_.counts.shape[1] * map_.ms / 1000, len(map_.counts), 0.0)
        norm = LogNorm(1, max(2, int(map_.counts.max(initial=1))))
        image = below.imshow(shown, extent=extent, aspect="auto", interpolation="none", cmap="viridis", norm=norm)
        scale = drawn.colorbar(image, ax=below, label="page writes in a cell", pad=0.01)
        scale.ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        scale.ax.yaxis.set_minor_formatter(lambda *_: "")
        _addresses(below, map_)
        below.set_xlabel("s since the start")
        cell = f"{map_.ms:g} ms and {64 * map_.chunks:,} KiB"
        caption = f"Writes over time and address; a cell is {cell}; above, the lives of forked processes"
        figure = figures.finish(drawn, "writes", caption, f"{caption}; numbers in writes.csv")
        return figure, _png(drawn)


def _bars(summary: Summary) -> list[tuple[str, float, float]]:
    """Return the children that lived longest, in order of birth: name, birth and end."""
    children = [seen for seen in summary.processes if seen.parent is not None]
    until = {seen.handle: summary.ms if seen.ended is None else seen.ended for seen in children}
    longest = sorted(children, key=lambda seen: seen.born - until[seen.handle])[: 2 * LABELS]
    return [
        (f"child {seen.handle if seen.pid is None else seen.pid}", seen.born, until[seen.handle])
        for seen in sorted(longest, key=lambda seen: seen.handle)
    ]


def _lives(axes: Axes, summary: Summary, bars: list[tuple[str, float, float]]) -> None:
    axes.patch.set_alpha(0)
    for row, (_, born, until) in enumerate(bars):
        axes.barh(row, (until - born) / 1000, left=born / 1000, height=0.7, color=figures.COLOURS[1])
    axes.set_yticks(range(len(bars)), [name for name, *_ in bars], fontsize=7)
    axes.invert_yaxis()
    axes.tick_params(bottom=False, labelbottom=False, left=False)
    for side in ("bottom", "left"):
        axes.spines[side].set_visible(False)
    for life in summary.lives:
        axes.axvline(life.at / 1000, color=figures.COLOURS[1], linewidth=0.5)


def _addresses(axes: Axes, map_: Heat) -> None:
    axes.patch.set_alpha(0)
    named: list[tuple[int, str]] = []
    for row, place in map_.starts:
        axes.axhline(row, color=figures.COLOURS[7], linewidth=0.5)
        if not named or row - named[-1][0] >= len(map_.counts) * APART:
            named.append((row, f"0x{place << 16:x}" if map_.addressed else f"chunk {place:,}"))
    axes.set_yticks([row for row, _ in named], [name for _, name in named], fontsize=7)


def _png(drawn: object) -> bytes:
    from matplotlib.figure import Figure as Drawn

    assert isinstance(drawn, Drawn)
    drawn.patch.set(alpha=1, facecolor="white")
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", dpi=150, metadata={"Software": None})
    return stream.getvalue()


def table(map_: Heat) -> Download:
    """Return the numbers of the picture as CSV: time in s, row, page writes; cells without writes are left out."""
    rows, columns = np.nonzero(map_.counts)
    lines = [
        f"{column * map_.ms / 1000:g},{row},{map_.counts[row, column]}"
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    text = "\n".join(["seconds,row,page_writes", *lines]) + "\n"
    return Download("writes.csv", "text/csv", text.encode(), "the numbers of the picture: cells with writes")
