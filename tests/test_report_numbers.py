"""Every number of the report comes from the store: tables, marks and sentences are recomputed with pandas."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cowbench import load, report
from cowbench.ledger import CAUSES
from cowbench.report.prose import cause as words
from cowbench.store import Store
from tests.conftest import make_result
from tests.report_cases import RUN, trial

POLICIES = ("clean", "eager", "leaky", "oracle")
WORKLOADS = ("w1", "w2", "w3")
METRICS = {"copies": "copies", "needless": "false_positive_copies", "fork-latency": "fork_ns_mean"}


class Page(HTMLParser):
    """Tables of a page by id (head and rows of texts), the CSV of each, marks, and the words of its sections."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.csv: dict[str, pd.DataFrame] = {}
        self.marks: dict[str, str] = {}
        self.places: dict[str, float] = {}
        self.words: dict[str, str] = {}
        self._section = self._table = self._figure = self._mark = ""
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        self._in.append(tag)
        if tag == "section":
            self._section = facts["id"]
        elif tag == "div" and facts.get("class") == "table":
            self._table = facts["id"]
            self.tables[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append("")
        elif tag == "a" and facts.get("download", "").endswith(".csv"):
            contents = base64.b64decode(facts["href"].partition("base64,")[2])
            self.csv[self._table] = pd.read_csv(io.BytesIO(contents), index_col=0)
        elif tag == "figure":
            self._figure, self._mark = facts["id"], ""
        elif tag == "use" and self._mark:
            self.places[self._mark] = float(facts["x"])

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self._in):
            self.tables[self._table][-1][-1] += data
        elif self._in[-1:] == ["title"] and "svg" in self._in:
            self._mark = f"{self._figure} {data}"
            self.marks[self._mark] = data
        elif {"p", "li"} & set(self._in) and "svg" not in self._in:
            self.words[self._section] = self.words.get(self._section, "") + data


def rows() -> Iterator[dict[str, object]]:
    for workload in WORKLOADS:
        for seed in range(8):
            yield trial("clean", workload, seed)
            yield trial("eager", workload, seed, copies=2000 + seed)
            yield trial("leaky", workload, seed, copies=100, leaks=seed, lost_pins=3, missed_early_copies=2)
            yield trial("oracle", workload, seed, copies=90, sees_truth=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    with Store(folder / "s.db") as store:
        made = [make_result(row) for row in rows()]
        run = {name: value for name, value in RUN.items() if name not in ("run", "cells", "started")}
        store.add(made, store.begin_run("2026-01-01T00:00:00+00:00", run))
        store.point((r.row["policy"], r.row["workload"], r.row["seed"], r.key) for r in made)
    report.write(folder / "s.db", folder, pdf=False)
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return load(folder / "s.db")


def shown(value: float) -> str:
    """Write a number as the report does."""
    rounded = round(value, 1)
    return f"{rounded:,.0f}" if rounded == int(rounded) else f"{rounded:,.1f}"


@pytest.mark.parametrize("table", METRICS)
def test_each_cell_of_the_matrix_is_the_mean_of_its_rows_and_exact_in_the_csv(
    page: Page, frame: pd.DataFrame, table: str
) -> None:
    scale = 1000 if table == "fork-latency" else 1
    means = frame.groupby(["workload", "policy"], observed=True)[METRICS[table]].mean().astype(float).unstack() / scale
    mean = means.stack().to_dict()
    head, *lines = page.tables[f"matrix-{table}"]
    assert [line[0] for line in lines] == list(WORKLOADS)
    assert head[1:] == list(POLICIES)
    for line in lines:
        assert line[1:] == [shown(mean[line[0], policy]) for policy in head[1:]]
    exact = page.csv[f"matrix-{table}"]
    np.testing.assert_allclose(exact, means.loc[exact.index, exact.columns], rtol=1e-12)


def test_causes_are_means_of_their_columns(page: Page, frame: pd.DataFrame) -> None:
    _, *lines = page.tables["causes-workloads"]
    found = page.csv["causes-workloads"].set_index("workload", append=True)
    means = frame.groupby(["policy", "workload"], observed=True)[[f"false_positive_cause_{c}" for c in CAUSES]].mean()
    assert len(found) == len(lines) == len(POLICIES) * len(WORKLOADS)
    for cause in CAUSES:
        expected = means[f"false_positive_cause_{cause}"]
        values = found[words(cause)] if words(cause) in found else pd.Series(0.0, index=found.index)
        np.testing.assert_allclose(values, expected.loc[found.index].astype(float))


def test_verdicts_are_sums_over_all_trials(page: Page, frame: pd.DataFrame) -> None:
    found = page.csv["outcomes-verdicts"]
    for name in ("leaks", "lost_pins", "lost_gets", "torn_snapshots", "missed_early_copies"):
        sums = frame.groupby("policy", observed=True)[name].sum()
        assert found[name.replace("_", " ")].to_dict() == sums.to_dict()


def test_marks_of_the_picture_say_the_sums_and_stand_in_their_order(page: Page, frame: pd.DataFrame) -> None:
    sums = frame.groupby("policy", observed=True)[["copies", "false_positive_copies"]].sum() / 8
    expected = {f"{policy}: {shown(row.copies)} copies" for policy, row in sums.iterrows()}
    expected |= {f"{policy}: {shown(row.false_positive_copies)} needless copies" for policy, row in sums.iterrows()}
    marks = {gid: words for gid, words in page.marks.items() if gid.startswith("overview-picture ")}
    assert set(marks.values()) == expected
    number = {gid: float(re.findall(r": ([\d,.]+) ", words)[0].replace(",", "")) for gid, words in marks.items()}
    assert sorted(number, key=lambda gid: number[gid]) == sorted(number, key=lambda gid: page.places[gid])


def test_every_number_of_the_first_section_can_be_recomputed(page: Page, frame: pd.DataFrame) -> None:
    copies = frame.groupby("policy", observed=True)["copies"].sum() / 8
    needless = frame.groupby("policy", observed=True)["false_positive_copies"].sum() / 8
    causes = frame[frame.policy == "clean"][[f"false_positive_cause_{cause}" for cause in CAUSES]].sum()
    known = {shown(value) for value in [*copies, *needless]}
    known |= {f"{copies['eager'] / copies['clean']:.1f}", f"{100 - 100 * copies['oracle'] / copies['clean']:.2g}"}
    known |= {f"{100 * causes.max() / causes.sum():.0f}", "5"}  # and alpha, in per cent
    known |= {"3", "27", "2", "48"}  # workloads; comparisons of three policies; what leaky shared a trial, and in all
    verdicts = re.findall(r"(?:better|worse|identical|shown|untestable) on (\d+)", page.words["overview"])
    assert sum(map(int, verdicts[:1])) <= 3
    text = re.sub(
        r"\bw\d\b|(?:better|worse|identical|shown|untestable) on \d+|of \d+ workloads", "", page.words["overview"]
    )
    numbers = re.findall(r"\d[\d,]*(?:\.\d+)?", text)
    assert len(numbers) > 8
    exact = {number for number in numbers if number not in known}
    # The count of exact comparisons is the one number that pandas alone does not give.
    assert exact <= {re.findall(r"(\d+) of 27 comparisons are exact", text)[0]}, text
