"""The report: built once as a model from the sections in reports/ and a user's own, then written as page and PDF.

The same store gives the same bytes of both.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cowbench.errors import CowbenchError, ParameterError
from cowbench.history.files import read
from cowbench.history.steps import in_order
from cowbench.parameters import nearest
from cowbench.report.assembly import build
from cowbench.report.results import Results
from cowbench.store import Store


def write(
    store: Path,
    output: Path,
    *,
    sections: Sequence[Path] = (),
    baseline: str | None = None,
    trace: str | None = None,
    pdf: bool = True,
    history: Path | None = None,
    against: Path | None = None,
) -> list[Path]:
    """Write the report of a store to OUTPUT/index.html and OUTPUT/report.pdf; return what was written.

    sections: files with sections of the user's own. trace: the trial to follow, "POLICY,WORKLOAD,SEED". history: folder
    of asv results to draw as well. against: another store to hold this one against. Raises CowbenchError; either file
    is there whole or as it was.
    """
    from cowbench.report import following, page
    from cowbench.report import pdf as printed
    from cowbench.report.versus import held_against

    commits = [] if history is None else in_order(read(history), history)
    with Store(store, read_only=True) as opened:
        results = Results.of(opened, baseline, trace, commits)
    if baseline is not None and baseline not in results.policies:
        raise ParameterError(f"no policy '{baseline}' in {store}: {nearest(baseline, results.policies)}")
    if trace is not None:
        following.chosen(results)  # says what is wrong with it
    if against is not None:
        results = replace(results, versus=held_against(against, store))
    report = build(results, sections)
    files = {output / "index.html": page.render(report).encode()}
    if pdf:
        files[output / "report.pdf"] = printed.render(report)
    replace_files(output, files)
    return list(files)


def replace_files(output: Path, files: Mapping[Path, bytes]) -> None:
    """Write files so that all of them are there whole, or none is touched."""
    at = output
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".report-") as folder:
            for at, contents in files.items():
                if at.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "it is a folder")
                (Path(folder) / at.name).write_bytes(contents)
            for at in files:
                (Path(folder) / at.name).replace(at)
    except OSError as error:
        raise CowbenchError(f"{at}: cannot be written ({error.strerror}); give another --output") from None
