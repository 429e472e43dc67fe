"""A report as a PDF/UA-1 file, set by Typst in fonts that come with it and matplotlib: same report, same bytes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from cowbench.errors import CowbenchError
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
    Link,
    Paragraph,
    Piece,
    Report,
    Strong,
    Switch,
    Table,
    Terms,
    Words,
)

HEIGHT = 660.0
"""Points that a figure may be high, so that it and its caption fit on a page."""

Tree = dict[str, Any]
"""What the template reads: plain JSON."""


def render(report: Report) -> bytes:
    """Return the PDF. Raises CowbenchError if Typst cannot set it."""
    import matplotlib as mpl
    import typst

    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    with tempfile.TemporaryDirectory(prefix="cowbench-") as name:
        folder = Path(name)
        template = resources.files("cowbench.report").joinpath("report.typ").read_text(encoding="utf-8")
        (folder / "report.typ").write_text(template, encoding="utf-8")
        (folder / "report.json").write_text(json.dumps(tree(report)), encoding="utf-8")
        try:
            return typst.compile(
                folder / "report.typ",
                root=folder,
                font_paths=[fonts],
                ignore_system_fonts=True,
                pdf_standards=["ua-1"],
                timestamp=0,
            )
        except typst.TypstError as error:
            raise CowbenchError(f"the PDF cannot be set: {error}; use --no-pdf and report this") from None


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
        return [_run(piece, targets) for piece in _pieces(text)]

    match block:
        case Paragraph():
            return {"text": words(block.text), "kind_of": block.kind}
        case Bullets():
            return {"items": [words(item) for item in block.items]}
        case Terms():
            return {"items": [(term, words(meaning)) for term, meaning in block.items]}
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


def _table(table: Table, place: str, targets: frozenset[str]) -> Tree:
    pieces = []
    for widths, chosen in columns.split(table):
        at = list(zip(chosen, widths, strict=True))
        head = [_cell(table.head[i], width, targets) | {"numeric": tables.numeric(table, i)} for i, width in at]
        rows = [[_cell(row[i], width, targets) for i, width in at] for row in table.rows]
        pieces.append({"widths": widths, "head": head, "rows": rows})
    csv = Download(f"{place}-{table.name}.csv", "text/csv", tables.to_csv(table).encode(), table.caption)
    return {"caption": table.caption, "label": f"{place}-{table.name}", "pieces": pieces, "csv": _file(csv)}


def _cell(content: Content, width: float, targets: frozenset[str]) -> Tree:
    cell = model.cell(content)
    runs = [_run(piece, targets) for piece in _pieces(cell.text)]
    for run in runs:
        run["text"] = columns.breakable(run["text"], width)
    return {"text": runs, "numeric": cell.numeric, "share": cell.share, "tone": cell.tone}


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


def _pieces(words: Words) -> Iterator[Piece]:
    yield from words if isinstance(words, tuple) else (words,)


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
