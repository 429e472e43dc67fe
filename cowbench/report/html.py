"""Pieces of HTML for sections; whatever is put into them is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from markupsafe import Markup

from cowbench import summary
from cowbench.summary import MISSING, Table

Text = str | Markup


@dataclass(frozen=True)
class Shaded:
    """A table cell with a background: `share` 0 is none, 1 is the darkest of its row."""

    text: str
    share: float = 0.0


Cells = Sequence[Text | Shaded]
"""A row of a table: its name, then its cells."""


def join(parts: Iterable[Text], between: str = "\n") -> Markup:
    """Put pieces one after the other."""
    return Markup(between).join(parts)


def paragraph(text: Text, kind: str = "") -> Markup:
    """Return a paragraph; kind "warning" stands out."""
    return Markup('<p class="{}">{}</p>').format(kind, text) if kind else Markup("<p>{}</p>").format(text)


def bullets(items: Sequence[Text]) -> Markup:
    """Return a list, or nothing for no items."""
    return (
        Markup("<ul>{}</ul>").format(join(Markup("<li>{}</li>").format(item) for item in items)) if items else Markup()
    )


def code(text: str) -> Markup:
    """Return text as program text."""
    return Markup("<code>{}</code>").format(text)


def breakable(name: str) -> Markup:
    """Return a spec that may be broken into lines after its punctuation."""
    return Markup("<wbr>").join(re.split(r"(?<=[:,@])", name))


def table(head: Sequence[Text], rows: Iterable[Cells], caption: Text) -> Markup:
    """Return a table whose first column names the rows; it scrolls sideways if it is wider than the page."""
    top = join((Markup('<th scope="col">{}</th>').format(text) for text in head), "")
    body = join(Markup("<tr>{}</tr>").format(_row(row)) for row in rows)
    return Markup(
        '<div class="wide" tabindex="0" role="region" aria-label="{0}"><table><caption>{0}</caption>'
        "<thead><tr>{1}</tr></thead>\n<tbody>{2}</tbody></table></div>"
    ).format(caption, top, body)


def matrix(
    values: Table, policies: Sequence[str], workloads: Sequence[str], caption: Text, *, log: bool = False
) -> Markup:
    """Return a metric with a line a workload and a column a policy, shaded by its share of the line's largest.

    log: shade by the share of the logarithm, for metrics that differ by orders of magnitude.
    """
    return table(
        ["workload", *map(breakable, policies)],
        (_matrix_row(values, policies, workload, log) for workload in workloads),
        caption,
    )


def _matrix_row(values: Table, policies: Sequence[str], workload: str, log: bool) -> Cells:
    cells = [values.get((policy, workload), MISSING) for policy in policies]
    sizes = [float(cell.mean or 0) for cell in cells]
    if log:
        sizes = [math.log1p(size) for size in sizes]
    largest = max(sizes, default=0.0) or 1.0
    shares = [size / largest for size in sizes]
    return [workload, *(Shaded(cell.text, share) for cell, share in zip(cells, shares, strict=True))]


def _row(row: Cells) -> Markup:
    first, *rest = row
    return join([Markup('<th scope="row">{}</th>').format(first), *map(_cell, rest)], "")


def _cell(value: Text | Shaded) -> Markup:
    if isinstance(value, Shaded):
        if not value.share:
            return Markup('<td class="n">{}</td>').format(value.text)
        return Markup('<td class="n" style="--share:{:.2f}">{}</td>').format(value.share, value.text)
    return Markup("<td>{}</td>").format(value)


def listed(counts: Mapping[str, int | Fraction], unit: str = "") -> str:
    """Write counts by name: "12 on trace, 3 on zygote"."""
    return ", ".join(f"{summary.number(count)}{unit} on {name}" for name, count in counts.items())


def words(names: Sequence[str]) -> str:
    """Write names as a sentence does: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
