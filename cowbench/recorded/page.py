"""The summary of a recording as a page that needs no network, and its picture as a PNG."""

from __future__ import annotations

from pathlib import Path

from cowbench.recorded import heat, told
from cowbench.recorded.summary import Summary
from cowbench.report import page, replace_files
from cowbench.report.model import Chapter, Report


def write(file: Path, summary: Summary, output: Path) -> list[Path]:
    """Write OUTPUT/index.html and OUTPUT/writes.png; return what was written. Raises CowbenchError.

    The same recording gives the same bytes.
    """
    map_ = heat.heat(file, summary)
    picture, png = heat.draw(map_, summary)
    chapters = (
        Chapter("recording", "What was recorded", tuple(told.facts(summary))),
        Chapter("forks", "Forks", tuple(told.forks(summary))),
        Chapter("picture", "Writes over time and address", (picture, heat.table(map_))),
        Chapter("working-set", "Working set", tuple(told.working_set(summary))),
        Chapter("references", "Pins and other references", tuple(told.references(summary))),
        Chapter("operations", "Everything counted", tuple(told.operations(summary))),
    )
    report = Report(told.title(summary), f"{told.seconds(summary.ms)} on Linux {summary.facts.kernel}", chapters)
    files = {output / "index.html": page.render(report).encode(), output / "writes.png": png}
    replace_files(output, files)
    return list(files)
