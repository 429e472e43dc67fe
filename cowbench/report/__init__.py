"""The report: one self-contained HTML page, put together from the sections in reports/ and a user's own.

The same store gives the same bytes. The page asks for nothing from outside and runs no script.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cowbench import __version__, plugins
from cowbench.errors import CowbenchError, PluginError
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.store import Store


def write(store: Path, output: Path) -> Path:
    """Write the page of a store to OUTPUT/index.html and return its path. Raises CowbenchError."""
    with Store(store, read_only=True) as opened:
        results = Results(opened.rows(), opened.runs())
    page = output / "index.html"
    text = render(results)
    try:
        output.mkdir(parents=True, exist_ok=True)
        _replace(page, text)
    except OSError as error:
        raise CowbenchError(f"{page}: cannot be written ({error.strerror}); give another --output") from None
    return page


def render(results: Results) -> str:
    """Return the page as text."""
    environment = Environment(
        loader=PackageLoader("cowbench.report", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    style = environment.get_template("style.css").render()
    page = environment.get_template("page.html.j2")
    return page.render(style=Markup(style), version=__version__, sections=_sections(results))


def _sections(results: Results) -> list[tuple[str, str, Markup]]:
    """Return name, title and body of every section, in order; one that fails says so in its place."""
    drawn: list[tuple[int, str, str, Markup]] = []
    for name, file in plugins.available("section").items():
        try:
            section: Section = plugins.load_file("section", file)()
            drawn.append((section.order, name, section.title, _body(section, results, file)))
        except PluginError as error:
            drawn.append((1000, name, name, Markup("<p class='warning'>This section is missing. {}</p>").format(error)))
    return [(name, title, body) for _, name, title, body in sorted(drawn)]


def _body(section: Section, results: Results, file: Path) -> Markup:
    try:
        body = section.render(results)
    except Exception as error:  # a section of the user's must not take the page with it
        line = plugins.line_in(error, file)
        raise PluginError(f"section {file}:{line}: {plugins.words_of(error)}") from error
    if not isinstance(body, Markup):
        raise PluginError(f"section {file}: render() must return Markup, not {type(body).__name__}")
    return body


def _replace(page: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, name = tempfile.mkstemp(dir=page.parent, prefix=".index-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(page)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
