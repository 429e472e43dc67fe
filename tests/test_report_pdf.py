"""The PDF: tagged, searchable, with the tables attached; nothing is cut off and nothing printed over something else."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from html import unescape
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pypdf
import pytest

from cowbench.errors import CowbenchError
from cowbench.report import assembly, columns, pdf
from cowbench.report.model import Chapter, Link, Paragraph, Report, Table
from tests.report_cases import CASES, EVIL, NAMES, results, trial

USUAL = [trial(policy, f"w{n}", seed) for policy in ("mapcount", "page_count") for n in range(9) for seed in range(2)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a PDF for each case and return them by name."""
    folder = tmp_path_factory.mktemp("pdf")
    found = {}
    for number, (name, rows) in enumerate({"usual": USUAL, **CASES}.items()):
        found[name] = folder / f"{number}.pdf"
        found[name].write_bytes(pdf.render(assembly.build(results(rows))))
    return found


def poppler(*words: str | Path) -> str:
    if shutil.which(str(words[0])) is None and not os.environ.get("CI"):
        pytest.skip(f"no {words[0]}; install poppler-utils")
    return subprocess.run([*map(str, words)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["usual", *CASES])
def test_it_is_tagged_as_pdf_ua_and_says_its_language_and_title(files: dict[str, Path], name: str) -> None:
    root: Any = pypdf.PdfReader(files[name]).trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    facts = poppler("pdfinfo", files[name])
    assert re.search(r"^Tagged: +yes$", facts, re.MULTILINE)
    assert re.search(r"^Title: +Copy-on-write policies compared$", facts, re.MULTILINE)


def test_sentences_and_names_are_found_by_searching(files: dict[str, Path]) -> None:
    text = " ".join(poppler("pdftotext", files["usual"], "-").split())
    assert "copies least of those that leak nothing and lose no pin" in text
    assert "page_count" in text
    assert """cowbench run --store again.db --spec '{"policy": "mapcount", "workload": "w3"}'""" in text
    names = poppler("pdftotext", files["names"], "-")
    for name in set(NAMES) - {"سياسة"}:  # which is laid out from right to left
        assert name in names, name


def test_every_table_and_all_rows_are_attached(files: dict[str, Path]) -> None:
    attached = pypdf.PdfReader(files["usual"]).attachments
    built = assembly.build(results(USUAL))
    assert set(attached) == {f"{c.name}-{t.name}.csv" for c, t in assembly.tables(built)} | {
        "rows.csv.xz",
        "profile.json",
        "again.sh",
    }
    commands = attached["again.sh"][0].decode().splitlines()
    assert len(commands) == len({(row["policy"], row["workload"]) for row in USUAL}) > pdf.SHOWN
    (contents,) = attached["matrix-copies.csv"]
    assert contents.decode().splitlines()[0] == "workload,mapcount,page_count"


@pytest.mark.parametrize("name", ["usual", *CASES])
def test_all_words_stand_within_the_margins_and_none_over_another(files: dict[str, Path], name: str) -> None:
    for number, words in enumerate(pages(files[name]), 1):
        for word in words:
            assert word.left > 35, (number, word)
            assert word.right < 595.3 - 35, (number, word)
            assert word.bottom < 841.9 - 20, (number, word)
        for one, other in combinations(words, 2):
            assert one.overlap(other) < 0.25, (number, one, other)


class Word(NamedTuple):
    """A word and where it stands, in points from the upper left."""

    left: float
    top: float
    right: float
    bottom: float
    text: str

    def overlap(self, other: Word) -> float:
        """Return how much of the smaller of two words lies under the other."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        if wide <= 0 or high <= 0:
            return 0.0
        return wide * high / min((w.right - w.left) * (w.bottom - w.top) for w in (self, other))


def pages(file: Path) -> list[list[Word]]:
    found = []
    for page in poppler("pdftotext", "-bbox", file, "-").split("<page ")[1:]:
        boxes = re.findall(r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*?)</word>', page)
        found.append([Word(float(a), float(b), float(c), float(d), unescape(text)) for a, b, c, d, text in boxes])
    return found


def wide(count: int) -> Table:
    return Table("t", "caption", ("row", *(f"column_{n}" for n in range(count))), (("a", *map(str, range(count))),))


def test_wide_tables_are_split_by_columns_that_all_fit() -> None:
    parts = list(columns.split(wide(60)))
    assert len(parts) > 1
    assert [n for part in parts for n in part.columns[1:]] == list(range(1, 61))
    assert all(part.columns[0] == 0 and sum(part.widths) <= columns.PAGE for part in parts)


def test_a_table_that_is_a_little_too_wide_is_set_smaller() -> None:
    parts = {count: list(columns.split(wide(count))) for count in range(5, 40)}
    scales = [part[0].scale for part in parts.values() if len(part) == 1]
    assert 1.0 in scales
    assert columns.SMALLEST <= min(scales) < 0.95
    assert all(sum(part.widths) < columns.PAGE + 0.01 for found in parts.values() for part in found)


def test_a_name_is_only_broken_where_it_has_no_room() -> None:
    assert columns.breakable("page_count_5_18", 100) == "page_count_5_18"
    assert columns.breakable("page_count_5_18", 20) == "page_\u200bcount_\u200b5_\u200b18"


def test_markup_in_a_name_is_text(files: dict[str, Path]) -> None:
    assert EVIL in poppler("pdftotext", files["names"], "-")


def test_a_link_to_nowhere_is_text_and_takes_nothing_with_it() -> None:
    made = Report("title", "facts", (Chapter("one", "One", (Paragraph((Link("there", "nowhere"), "!")),)),))
    assert "there!" in pypdf.PdfReader(io.BytesIO(pdf.render(made))).pages[0].extract_text()


def test_a_report_that_cannot_be_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Report("title", "facts", ())
    monkeypatch.setattr(pdf, "tree", lambda _: {"title": "title"})
    with pytest.raises(CowbenchError, match=r"the PDF cannot be set: .*facts.*--no-pdf"):
        pdf.render(made)
