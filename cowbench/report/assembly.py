"""Builds the model of a report from its sections; one that fails says so in its place and takes nothing with it."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cowbench import plugins
from cowbench.errors import PluginError
from cowbench.report import model
from cowbench.report.model import Block, Chapter, Figure, Fold, Paragraph, Report, Switch, Table
from cowbench.report.prose import plural
from cowbench.report.results import Results
from cowbench.report.section import Section

TITLE = "Copy-on-write policies compared"


def build(results: Results, own: Sequence[Path] = ()) -> Report:
    """Return the report of some results: the sections that are found, then those of the files in `own`, in order.

    Raises PluginError for a file in `own` that holds no section: it was asked for by name.
    """
    added = [plugins.locate("section", str(file)) for file in own]
    for file in added:
        plugins.load_file("section", file)
    files = plugins.available("section") | {plugins.name_of("section", file): file for file in added}
    chapters = [_chapter(name, file, results) for name, file in files.items()]
    there = tuple(chapter for _, chapter in sorted(chapters, key=_place) if chapter.blocks)
    return Report(TITLE, _facts(results), there)


def _place(item: tuple[int, Chapter]) -> tuple[int, str]:
    order, chapter = item
    return order, chapter.name


def _facts(results: Results) -> str:
    parts = [plural(len(results.policies), "policy", "policies"), plural(len(results.workloads), "workload")]
    return ", ".join([*parts, plural(len(results.rows), "trial")])


def _chapter(name: str, file: Path, results: Results) -> tuple[int, Chapter]:
    try:
        section: Section = plugins.load_file("section", file)()
        return section.order, Chapter(name, section.title, parts(section, file, results))
    except PluginError as error:
        return 1000, Chapter(name, name, (Paragraph(f"This section is missing. {error}", "warning"),))


def parts(section: Section, file: Path, results: Results) -> tuple[Block, ...]:
    """Return the parts of a section. Raises PluginError, naming the line, if it fails or returns something else."""
    try:
        blocks = tuple(section.build(results))
    except Exception as error:  # a section of the user's must not take the report with it
        line = plugins.line_in(error, file)
        raise PluginError(f"section {file}:{line}: {plugins.words_of(error)}") from error
    _check(blocks, file)
    return blocks


def _check(blocks: Iterable[object], file: Path) -> None:
    names: set[str] = set()
    for block in every(blocks):
        if not isinstance(block, typing.get_args(Block)):
            words = "must be parts of cowbench.report.model"
            raise PluginError(f"section {file}: what build() gives {words}, not {type(block).__name__}")
        if isinstance(block, Table | Figure):
            if block.name in names:
                raise PluginError(f"section {file}: two tables or figures are called '{block.name}'; rename one")
            names.add(block.name)


def every(blocks: Iterable[object]) -> Iterator[object]:
    """Yield parts and the parts inside them."""
    for block in blocks:
        yield block
        if isinstance(block, Fold):
            yield from every(block.blocks)
        if isinstance(block, Switch):
            for _, inner in block.choices:
                yield from every(inner)


def tables(report: Report) -> Iterator[tuple[Chapter, model.Table]]:
    """Yield every table of a report with the section it stands in."""
    for chapter in report.chapters:
        for block in every(chapter.blocks):
            if isinstance(block, Table):
                yield chapter, block


def targets(report: Report) -> Iterator[str]:
    """Yield what a Link of a report can lead to."""
    for chapter in report.chapters:
        yield chapter.name
        yield from (f"{chapter.name}-{b.name}" for b in every(chapter.blocks) if isinstance(b, Table | Figure))
