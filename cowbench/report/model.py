"""What a report is made of, apart from how it looks: sections build these parts, page.py and pdf.py draw them.

All text is plain; whoever draws it escapes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from cowbench import summary


@dataclass(frozen=True)
class Code:
    """Program text inside a sentence: a command, a spec, a column."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Words that stand out in a sentence."""

    text: str


@dataclass(frozen=True)
class Link:
    """A link to a section, table or figure of this report: `target` is "section" or "section-name"."""

    text: str
    target: str


Piece = str | Code | Strong | Link
Words = Piece | tuple[Piece, ...]
"""A sentence or a part of one."""

Tone = Literal["", "good", "bad", "unsure"]
"""What a verdict says; the words must say it too, for those who do not see colours."""


@dataclass(frozen=True)
class Paragraph:
    """A paragraph. kind: "answer" is for a reader in a hurry, "note" is small print, "warning" stands out."""

    text: Words
    kind: Literal["plain", "answer", "note", "warning"] = "plain"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[Words, ...]


@dataclass(frozen=True)
class Terms:
    """A list of words with their meanings."""

    items: tuple[tuple[str, Words], ...]


@dataclass(frozen=True)
class Listing:
    """Lines of program text, such as commands; of many, the PDF shows a few and carries all as file `name`."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    text: str


@dataclass(frozen=True)
class Cell:
    """A table cell. value: what sorting and the CSV take instead of the text. share: depth of its shade, 0 to 1.

    group: the policy it belongs to, if any; pointing at one thing of a group lights up all of it. hint: shown on hover,
    so it may only say what is also said elsewhere.
    """

    text: Words
    value: int | float | str | None = None
    share: float = 0.0
    tone: Tone = ""
    hint: str = ""
    group: str = ""

    @property
    def numeric(self) -> bool:
        """Whether the cell holds a number, and stands at the right of its column."""
        return isinstance(self.value, int | float)


Content = Words | Cell
"""What may stand in a table; words are a cell without a value."""
Line = tuple[Content, ...]
"""A row of a table."""


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows. name: unique in its section; the CSV file is called after it.

    head: one cell or word a column. rows: as many cells each. A head's group is that of its column.
    """

    name: str
    caption: str
    head: Line
    rows: tuple[Line, ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"table {self.name}: a row has {len(row)} cells, its head has {len(self.head)}")


@dataclass(frozen=True)
class Mark:
    """What a mark of a figure says when pointed at, and the policy it belongs to."""

    hint: str
    group: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, made by cowbench.report.figures. name: unique in its section. alt: what it shows, in words.

    svg: the drawing with figures.INK for ink. width, height: in inches. marks: SVG id -> what that part says.
    """

    name: str
    caption: str
    alt: str
    svg: str
    width: float
    height: float
    marks: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True)
class Switch:
    """Alternatives of which the page shows one at a time if it can run its script; else all, one after the other."""

    label: str
    choices: tuple[tuple[str, tuple[Block, ...]], ...]


@dataclass(frozen=True)
class Fold:
    """Parts that are folded away on the page until asked for; in print they stand open."""

    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Download:
    """A file that is carried inside the report. name: file name. mime: its type, as in "text/csv"."""

    name: str
    mime: str
    contents: bytes
    description: str


Block = Paragraph | Bullets | Terms | Listing | Heading | Table | Figure | Switch | Fold | Download
"""One part of a section."""


@dataclass(frozen=True)
class Chapter:
    """A section as it was built."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A whole report. facts: one line under the title."""

    title: str
    facts: str
    chapters: tuple[Chapter, ...]


def count(value: int | Fraction, share: float = 0.0, hint: str = "", group: str = "", tone: Tone = "") -> Cell:
    """Return the cell of a number: exact in the CSV, written as everywhere in the report."""
    exact = int(value) if Fraction(value).denominator == 1 else float(value)
    return Cell(summary.number(value), exact, share, tone, hint, group)


def plain(words: Words) -> str:
    """Return words without their marking."""
    if isinstance(words, str):
        return words
    return "".join(map(plain, words)) if isinstance(words, tuple) else words.text


def cell(content: Content) -> Cell:
    """Return what stands in a table as a cell."""
    return content if isinstance(content, Cell) else Cell(content)
