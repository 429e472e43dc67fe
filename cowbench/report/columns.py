"""Widths of table columns on paper: Typst would let a column that is too narrow run into the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from cowbench.report import model, tables
from cowbench.report.model import Table

PAGE = 515.0
"""Points between the margins of an A4 page."""
SIZE = 7.5
"""Points of the text in tables."""
INSET = 6.6
"""Points to the left and right of a cell's text, together, and a little against rounding."""
WIDEST = 0.45
"""Share of the page that a column may take before its text is broken, if other columns want room too."""
NAMES = 0.2
"""Share of the page up to which the names of rows are not broken."""
LIBERTINUS = 0.88
"""Width of Latin text in Libertinus Serif beside that of DejaVu Sans, at most."""
BOLD = 1.12
"""How much wider bold letters are, at most."""
BREAK = "\u200b"  # a zero-width space: a line may end here


def breakable(text: str, width: float) -> str:
    """Return text that may be broken after the punctuation of specs, where a word is wider than its column.

    Only there, because whoever searches for a name does not find it across a break.
    """
    room = width - INSET
    return "".join(part if _width(part) <= room else BREAK.join(_parts(part)) for part in re.split(r"(\s+)", text))


def _parts(word: str) -> list[str]:
    return re.split(r"(?<=[_:,@/=.-])(?=\w)", word)


def split(table: Table) -> Iterator[tuple[list[float], list[int]]]:
    """Yield widths in points and numbers of the columns of each piece of a table that fits on a page.

    The first column names the rows and stands in every piece.
    """
    narrowest, natural = _sizes(table)
    rest = list(range(1, len(table.head)))
    while True:
        chosen = [0]
        while rest and (len(chosen) == 1 or sum(narrowest[i] for i in chosen) + narrowest[rest[0]] <= PAGE):
            chosen.append(rest.pop(0))
        yield _spread([narrowest[i] for i in chosen], [natural[i] for i in chosen]), chosen
        if not rest:
            return


def _spread(narrowest: list[float], natural: list[float]) -> list[float]:
    """Give every column what it needs at least, and share what is left by what each would like beyond."""
    room = PAGE - sum(narrowest)
    wish = sum(natural) - sum(narrowest)
    share = min(1.0, max(0.0, room / wish)) if wish else 0.0
    return [least + share * (best - least) for least, best in zip(narrowest, natural, strict=True)]


def _sizes(table: Table) -> tuple[list[float], list[float]]:
    """Return the width that each column needs at least, and the one it would like."""
    narrowest, natural = [], []
    for column in range(len(table.head)):
        head, *texts = (model.plain(model.cell(row[column]).text) for row in (table.head, *table.rows))
        breaks = not tables.numeric(table, column)
        least = max([_longest(head) * BOLD, *(_longest(text) if breaks else _width(text) for text in texts)])
        if column == 0:
            least = max(least, min(max(map(_width, texts), default=0.0), NAMES * PAGE))
        most = max([_width(head) * BOLD, *map(_width, texts)])
        narrowest.append(min(least, PAGE / 2) + INSET)
        natural.append(max(min(most, WIDEST * PAGE) + INSET, narrowest[-1]))
    return narrowest, natural


def _longest(text: str) -> float:
    """Return the width of the widest part that cannot be broken."""
    return max((_width(part) for word in text.split() for part in _parts(word)), default=0.0)


def _width(text: str) -> float:
    """Return the width of text in points: as of DejaVu Sans, by which Libertinus Serif falls short in what it has."""
    return sum(map(_advance, text)) * SIZE


@cache
def _advance(character: str) -> float:
    """Return the width of a character in em."""
    from matplotlib.font_manager import findfont, get_font
    from matplotlib.ft2font import LoadFlags

    font = get_font(findfont("DejaVu Sans"))
    if not font.get_char_index(ord(character)):
        return 1.0
    scale = LIBERTINUS if ord(character) < 0x250 and not character.isupper() else 1.0
    return scale * font.load_char(ord(character), LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM
