"""A report as a PDF/UA-1 file, set by Typst in fonts that come with it and matplotlib: same report, same bytes."""

from __future__ import annotations

import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

from cowbench.report import assembly, columns, model, tables
from cowbench.report.figures import INK
from cowbench.report.model import (
    Block,
    Bullets,
    Code,
    Content,
    Download,
    Figure,
    Fold,
    Heading,
    Line,
    Link,
    Listing,
    Paragraph,
    Piece,
    Report,
    Strong,
    Switch,
    Table,
    Terms,
    Words,
)
from cowbench.report.typesetting import typeset

SHOWN = 12
"""Lines of a longer listing that are shown."""
HEIGHT = 660.0
"""Points that a figure may be high, so that it and its caption fit on a page."""

Tree = dict[str, Any]
"""What the template reads: plain JSON."""


def render(report: Report) -> bytes:
    """Return the PDF. Raises CowbenchError if Typst cannot set it."""
    with tempfile.TemporaryDirectory(prefix="cowbench-") as name:
        folder = Path(name)
        template = resources.files("cowbench.report").joinpath("report.typ").read_text(encoding="utf-8")
        text = json.dumps(tree(report), ensure_ascii=False)
        (folder / "report.typ").write_text(template, encoding="utf-8")
        (folder / "report.json").write_text(text, encoding="utf-8")
        return typeset(folder, text)


def tree(report: Report) -> Tree:
    """Return a report as the template reads it."""
    targets = frozenset(assembly.targets(report))
    chapters = [
        {"name": chapter.name, "title": chapter.title, "blocks": _blocks(chapter.blocks, chapter.name, targets)}
        for chapter in report.chapters
    ]
    return {"title": report.title, "facts": report.facts, "chapters": chapters}


def _blocks(blocks: tuple[Block, ...], place: str, targets: frozenset[str]) -> list[Tree]:
    return [_block(block, place, targets) | {"kind": type(block).__name__.lower()} for block in blocks]


def _block(block: Block, place: str, targets: frozenset[str]) -> Tree:
    def words(text: Words) -> list[Tree]:
        return [_run(piece, targets) for piece in columns.pieces(text)]

    match block:
        case Paragraph():
            return {"text": words(block.text), "kind_of": block.kind}
        case Bullets():
            return {"items": [words(item) for item in block.items]}
        case Terms():
            return {"items": [(term, words(meaning)) for term, meaning in block.items]}
        case Listing():
            return _listing(block)
        case Heading():
            return {"text": block.text}
        case Table():
            return _table(block, place, targets)
        case Figure():
            return _figure(block, place)
        case Switch():
            return {"choices": [(name, _blocks(inner, place, targets)) for name, inner in block.choices]}
        case Fold():
            return {"summary": block.summary, "blocks": _blocks(block.blocks, place, targets)}
        case Download():
            return _file(block)


def _listing(listing: Listing) -> Tree:
    if len(listing.lines) <= SHOWN:
        return {"lines": list(listing.lines), "file": None}
    text = "".join(f"{line}\n" for line in listing.lines).encode()
    words = f"all {len(listing.lines):,} lines"
    return {"lines": list(listing.lines[:SHOWN]), "file": _file(Download(listing.name, "text/plain", text, words))}


def _table(table: Table, place: str, targets: frozenset[str]) -> Tree:
    pieces, numeric = [], tables.numeric(table)
    for part in columns.split(table):
        at = [(column, width / part.scale) for column, width in zip(part.columns, part.widths, strict=True)]
        head, *rows = ([_cell(row[c], width, numeric[c], targets) for c, width in at] for row in _lines(table))
        pieces.append({"widths": part.widths, "scale": part.scale, "head": head, "rows": rows})
    csv = Download(f"{place}-{table.name}.csv", "text/csv", tables.to_csv(table).encode(), table.caption)
    return {"caption": table.caption, "label": f"{place}-{table.name}", "pieces": pieces, "csv": _file(csv)}


def _lines(table: Table) -> tuple[Line, ...]:
    return (table.head, *table.rows)


def _cell(content: Content, width: float, right: bool, targets: frozenset[str]) -> Tree:
    cell = model.cell(content)
    room = width - columns.INSET
    runs = [_run(piece, targets) | {"text": columns.breakable(piece, room)} for piece in columns.pieces(cell.text)]
    return {"text": runs, "right": right, "share": cell.share, "tone": cell.tone}


def _figure(figure: Figure, place: str) -> Tree:
    svg = figure.svg.replace(INK, "#000000")
    scale = min(1.0, 9 / figure.width, HEIGHT / (figure.height * columns.PAGE / 9))
    width = figure.width * columns.PAGE / 9 * scale
    return {
        "caption": figure.caption, "alt": figure.alt, "svg": svg, "width": width, "label": f"{place}-{figure.name}"
    }  # fmt: skip


def _file(file: Download) -> Tree:
    return {
        "name": file.name, "mime": file.mime, "contents": list(file.contents), "description": file.description
    }  # fmt: skip


def _run(piece: Piece, targets: frozenset[str]) -> Tree:
    match piece:
        case Code():
            return {"style": "code", "text": piece.text}
        case Strong():
            return {"style": "strong", "text": piece.text}
        case Link() if piece.target in targets:
            return {"style": "link", "text": piece.text, "target": piece.target}
        case Link():
            return {"style": "", "text": piece.text}
        case str():
            return {"style": "", "text": piece}
