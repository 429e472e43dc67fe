"""Needless copies as stacked bars, one colour a cause, the same in every figure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from cowbench.ledger import CAUSES
from cowbench.report import figures
from cowbench.report.model import Figure, Mark
from cowbench.report.prose import cause as cause_name
from cowbench.summary import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = 36
"""Bars in one figure, headings included: what stays readable on a page of paper."""


class Bar(NamedTuple):
    """The needless copies of a policy on a workload ("" for all that can be summed), by cause, without zeros.

    whole: what the full width stands for, the policy's needless copies on all workloads.
    """

    policy: str
    workload: str
    causes: dict[str, Fraction]
    whole: Fraction

    @property
    def total(self) -> Fraction:
        """Needless copies of all causes."""
        return sum(self.causes.values(), Fraction())


def drawings(name: str, caption: str, bars: Sequence[Bar]) -> Iterator[Figure]:
    """Yield the figures of some bars, as many as fit into each; bars of workloads stand under their policy."""
    for index, lines in enumerate(_pages(bars)):
        suffix, more = (f"-{index + 1}", ", continued") if index else ("", "")
        yield _drawn(f"{name}{suffix}", caption + more, lines)


def _pages(bars: Sequence[Bar]) -> Iterator[list[str | Bar]]:
    lines: list[str | Bar] = []
    for policy, group in groupby(bars, lambda bar: bar.policy):
        found = list(group)
        block: list[str | Bar] = [*([policy] if found[0].workload else []), *found]
        if lines and len(lines) + len(block) > LINES:
            yield lines
            lines = []
        lines += block
        while len(lines) > LINES:
            yield lines[:LINES]
            lines = lines[LINES:]
    if lines:
        yield lines


def _drawn(name: str, caption: str, lines: Sequence[str | Bar]) -> Figure:
    """Draw shares of each policy's own total; totals differ too much for one scale."""
    from matplotlib.patches import Patch

    marks: dict[str, Mark] = {}
    bars = [line for line in lines if isinstance(line, Bar)]
    shown = [cause for cause in CAUSES if any(cause in bar.causes for bar in bars)]
    lines_high = (0.3 if len(lines) < 15 else 0.25) * max(2, len(lines))
    with figures.figure(9, 0.8 + 0.25 * math.ceil(len(shown) / 4) + lines_high) as (drawn, axes):
        for row, line in enumerate(lines):
            if isinstance(line, Bar):
                _stack(axes, row, line, marks)
        handles = [Patch(label=cause_name(cause), **_look(cause)) for cause in shown]
        drawn.legend(handles=handles, loc="outside lower center", ncols=min(4, len(shown)))
        axes.set_yticks(range(len(lines)), [_label(line) for line in lines])
        for tick, line in zip(axes.get_yticklabels(), lines, strict=True):
            tick.set_fontweight("bold" if isinstance(line, str) else "normal")
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.set_xlim(0, 1.1)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        alt = f"{caption}. Causes: {', '.join(map(cause_name, shown))}. All numbers stand in the table below."
        return figures.finish(drawn, name, caption, alt, marks)


def _stack(axes: Axes, row: int, bar: Bar, marks: dict[str, Mark]) -> None:
    from matplotlib.patches import Rectangle

    left = Fraction()
    where = f" on {bar.workload}" if bar.workload else ""
    for cause, copies in bar.causes.items():
        share = copies / bar.whole
        part = axes.add_patch(Rectangle((float(left), row - 0.375), float(share), 0.75, **_look(cause)))
        words = f"{bar.policy}{where}: {number(copies)} of {number(bar.total)} needless copies, {cause_name(cause)}"
        figures.mark(marks, part, words, bar.policy)
        left += share
    axes.text(float(left) + 0.01, row, number(bar.total), va="center")


def _label(line: str | Bar) -> str:
    return line if isinstance(line, str) else line.workload or line.policy


def _look(cause: str) -> dict[str, Any]:
    index = [*CAUSES].index(cause)  # type: ignore[arg-type]
    return {
        "facecolor": figures.COLOURS[index % len(figures.COLOURS)],
        "hatch": figures.HATCHES[index // len(figures.COLOURS)],
    }
