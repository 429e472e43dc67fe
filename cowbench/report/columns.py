"""Widths of table columns on paper: Typst would let a column that is too narrow run into the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from cowbench.report import model, tables
from cowbench.report.model import Cell, Code, Piece, Table, Words

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
SMALLEST = 0.8
"""Share of the usual size that a table may be set in so as not to be split."""
BOLD = 1.12
"""How much wider bold letters are, at most."""
MONO = 3.95
"""Points of a letter of program text in tables."""
BREAK = "\u200b"  # a zero-width space: a line may end here


def breakable(piece: Piece, room: float) -> str:
    """Return text that may be broken after the punctuation of specs, where a word is wider than the room it has.

    Only there, because whoever searches for a name does not find it across a break.
    """
    words = re.split(r"(\s+)", model.plain(piece))
    return "".join(word if _set(word, piece) <= room else BREAK.join(_parts(word)) for word in words)


def _parts(word: str) -> list[str]:
    return re.split(r"(?<=[_:,@/=.-])(?=\w)", word)


class Part(NamedTuple):
    """Columns of a table that fit on a page: their numbers and widths in points, at `scale` times the usual size."""

    columns: list[int]
    widths: list[float]
    scale: float = 1.0


def split(table: Table) -> Iterator[Part]:
    """Yield the parts of a table, each with the first column, which names the rows; one if it fits when set smaller."""
    narrowest, natural = _sizes(table)
    scale = PAGE / max(PAGE, sum(narrowest))
    if scale >= SMALLEST:
        widths = _spread(narrowest, natural, PAGE / scale)
        yield Part(list(range(len(widths))), [width * scale for width in widths], scale)
        return
    rest = list(range(1, len(table.head)))
    while rest:
        chosen = [0, rest.pop(0)]
        while rest and sum(narrowest[i] for i in chosen) + narrowest[rest[0]] <= PAGE:
            chosen.append(rest.pop(0))
        yield Part(chosen, _spread([narrowest[i] for i in chosen], [natural[i] for i in chosen], PAGE))


def _spread(narrowest: list[float], natural: list[float], page: float) -> list[float]:
    """Give every column what it needs at least, and share what is left by what each would like beyond."""
    if sum(natural) > page:
        natural = [max(least, min(best, WIDEST * page)) for least, best in zip(narrowest, natural, strict=True)]
    room = page - sum(narrowest)
    wish = sum(natural) - sum(narrowest)
    share = min(1.0, max(0.0, room / wish)) if wish else 0.0
    return [least + share * (best - least) for least, best in zip(narrowest, natural, strict=True)]


def _sizes(table: Table) -> tuple[list[float], list[float]]:
    """Return the width that each column needs at least, and the one it would like."""
    narrowest, natural, numeric = [], [], tables.numeric(table)
    for column in range(len(table.head)):
        head, *cells = (model.cell(row[column]) for row in (table.head, *table.rows))
        measure = width if numeric[column] else _longest
        least = max([_longest(head.text) * BOLD, *(measure(cell.text) * _weight(cell) for cell in cells)])
        if column == 0:
            least = max(least, min(max((width(cell.text) for cell in cells), default=0.0), NAMES * PAGE))
        most = max([width(head.text) * BOLD, *(width(cell.text) * _weight(cell) for cell in cells)])
        narrowest.append(min(least, PAGE / 2) + INSET)
        natural.append(max(most + INSET, narrowest[-1]))
    return narrowest, natural


def _weight(cell: Cell) -> float:
    return BOLD if cell.tone else 1.0


def _longest(words: Words) -> float:
    """Return the width of the widest part that cannot be broken."""
    parts = ((part, piece) for piece in pieces(words) for word in model.plain(piece).split() for part in _parts(word))
    return max((_set(part, piece) for part, piece in parts), default=0.0)


def width(words: Words) -> float:
    """Return the width of words in points."""
    return sum(_set(model.plain(piece), piece) for piece in pieces(words))


def pieces(words: Words) -> tuple[Piece, ...]:
    """Return the pieces of words."""
    return words if isinstance(words, tuple) else (words,)


def _set(text: str, piece: Piece) -> float:
    """Return the width of text set as the piece it is of; DejaVu Sans steps in where Libertinus Serif has no letter."""
    return len(text) * MONO if isinstance(piece, Code) else sum(map(_advance, text)) * SIZE


@cache
def _advance(character: str) -> float:
    """Return the width of a character in em."""
    from matplotlib.font_manager import findfont, get_font
    from matplotlib.ft2font import LoadFlags

    font = get_font(findfont("DejaVu Sans"))
    if not font.get_char_index(ord(character)):
        return 1.0
    return _scale(character) * font.load_char(ord(character), LoadFlags.NO_SCALE).horiAdvance / font.units_per_EM


def _scale(character: str) -> float:
    """Return how wide a letter of Libertinus Serif is beside that of DejaVu Sans, at most."""
    if ord(character) >= 0x250 or character.isupper():
        return 1.0
    return 0.76 if character.isdigit() or character in ",." else 0.88
