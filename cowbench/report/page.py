"""A report as one HTML page that asks for nothing from outside and can be read without its script."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cowbench import __version__
from cowbench.report import model, tables
from cowbench.report.figures import INK
from cowbench.report.model import Code, Link, Report, Strong, Words


def render(report: Report) -> str:
    """Return the page as text."""
    environment = Environment(
        loader=PackageLoader("cowbench.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "inline": inline, "breakable": breakable, "cell": model.cell, "drawing": drawing,
        "kind": lambda block: type(block).__name__.lower(), "csv": _csv, "data": _data, "numeric": tables.numeric,
    }  # fmt: skip
    environment.tests["unlike"] = unlike
    style, script = (_read(name) for name in ("style.css", "page.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html.j2").render(
        report=report, style=Markup(style), script=Markup(script), digest=digest, version=__version__
    )


def inline(words: Words) -> Markup:
    """Return words as HTML."""
    match words:
        case tuple():
            return Markup("").join(map(inline, words))
        case Code():
            return Markup("<code>{}</code>").format(words.text)
        case Strong():
            return Markup("<strong>{}</strong>").format(words.text)
        case Link():
            return Markup('<a href="#{}">{}</a>').format(words.target, words.text)
        case str():
            return Markup.escape(words)


def breakable(words: Words) -> Markup:
    """Return words that may be broken into lines after the punctuation of specs."""
    text = model.plain(words)
    return Markup("<wbr>").join(re.split(r"(?<=[_:,@])", text)) if isinstance(words, str) else inline(words)


def drawing(figure: model.Figure, identity: str) -> Markup:
    """Return a figure's SVG for the page: its ink is the page's, its ids its own, its marks say what they are."""
    prefix = hashlib.sha256(identity.encode()).hexdigest()[:6]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", figure.svg, count=1, flags=re.DOTALL)
    svg = re.sub(r">\s+<", "><", re.sub(r'<g id="([^"]*)"([^>]*)>', lambda part: _part(part, figure), svg))
    svg = re.sub(r'(<(?:path|clipPath|pattern) id="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r'(width|height)="[\d.]+pt"\s*', "", svg.replace(INK, "currentColor"), count=2)
    size = f"--width:{figure.width * 72:.0f}pt"
    return Markup(svg.replace("<svg", Markup('<svg role="img" aria-label="{}" style="{}"').format(figure.alt, size), 1))


def _part(found: re.Match[str], figure: model.Figure) -> str:
    """Return the start of a group without its id; a mark says what it shows."""
    gid, rest = found.groups()
    if gid not in figure.marks:
        return f"<g{rest}>"
    mark = figure.marks[gid]
    said = Markup('class="mark" data-group="{}"><title>{}</title>').format(mark.group, mark.hint)
    return f"<g{rest} {said}"


def unlike(cell: model.Cell) -> bool:
    """Return whether the text of a cell does not say the number that it is sorted by."""
    if not isinstance(cell.value, int | float):
        return cell.value is not None
    try:
        said = float(model.plain(cell.text).replace(",", "").rstrip("*!"))
    except ValueError:
        return True
    return abs(said - cell.value) > 0.051


def _csv(table: model.Table) -> Markup:
    return _link(tables.to_csv(table).encode(), "text/csv")


def _data(download: model.Download) -> Markup:
    return _link(download.contents, download.mime)


def _link(contents: bytes, mime: str) -> Markup:
    return Markup("data:{};base64,{}").format(mime, base64.b64encode(contents).decode())


def _read(name: str) -> str:
    return resources.files("cowbench.report").joinpath(name).read_text(encoding="utf-8")
