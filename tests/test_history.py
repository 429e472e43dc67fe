"""Numbers over commits: written as asv writes them, read as it reads them, and every step of a counter found."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import cowbench
from cowbench.cli import cli
from cowbench.errors import HistoryError
from cowbench.history import files, steps
from cowbench.history.export import export
from cowbench.history.files import Benchmark, Results
from cowbench.report.model import Figure, Paragraph, Switch, Table, plain
from cowbench.report.results import Results as ReportResults
from cowbench.store import Store
from tests.conftest import make_result, make_row

COPIES = Benchmark("suite.track_copies", "copies", "copies-1", ("policy", "workload"))
NEWEST = "f" * 40


def commit(letter: str, *values: float | None, date: int = 0) -> Results:
    """Return a commit on which mapcount has these copies on the workloads w0, w1, ..."""
    cells: dict[tuple[str, ...], float | None] = {("mapcount", f"w{n}"): value for n, value in enumerate(values)}
    return Results(letter * 40, date or ord(letter) * 1000, cells={COPIES: cells})


def written(folder: Path, *commits: Results) -> Path:
    """Write commits and what asv needs to know about them."""
    files.write(folder, commits)
    for one in commits:
        files.write_benchmarks(folder, one)
    return folder


def test_what_was_written_is_read_again_in_order(tmp_path: Path) -> None:
    commits = [commit("b", 1, 2.5), commit("a", 3, None)]
    assert files.read(written(tmp_path, *commits)) == commits[::-1]


def test_asv_itself_reads_what_was_written(tmp_path: Path) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("asv_runner", reason="asv is not installed; pip install 'cowbench[asv]'")
    written(tmp_path, commit("a", 7, math.nan))
    program = """if True:
        import json, sys
        from asv.benchmarks import Benchmarks
        from asv.config import Config
        from asv.results import iter_results
        conf = Config.from_json({"repo": ".", "results_dir": sys.argv[1]})
        (benchmark,) = Benchmarks.load(conf).values()
        (results,) = iter_results(sys.argv[1])
        values = results.get_result_value(benchmark["name"], benchmark["params"])
        keys = results.get_result_keys({benchmark["name"]: benchmark})
        print(json.dumps([benchmark, results.commit_hash, results.date, results.params["machine"], values, list(keys)]))
    """
    words = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    benchmark, name, date, machine, values, keys = json.loads(done.stdout)
    assert benchmark["params"] == [["'mapcount'"], ["'w0'", "'w1'"]]
    assert (benchmark["unit"], benchmark["less_is_better"]) == ("copies", True)
    assert (name, date, machine, keys) == ("a" * 40, 97000, "model", ["suite.track_copies"])
    assert values[0] == 7
    assert math.isnan(values[1])


def test_results_of_another_version_are_left_out(tmp_path: Path) -> None:
    written(tmp_path, commit("a", 1), commit("b", 1))
    file = next((tmp_path / "model").glob("a*.json"))
    file.write_text(file.read_text().replace("copies-1", "copies-0"))
    assert [len(one.cells) for one in files.read(tmp_path)] == [0, 1]


def test_benchmarks_keep_parameters_of_earlier_results(tmp_path: Path) -> None:
    other = Results("c" * 40, 1, cells={COPIES: {("oracle", "w9"): 1}})
    written(tmp_path, commit("a", 1, 2), other)
    (known,) = (
        one for name, one in json.loads((tmp_path / "benchmarks.json").read_text()).items() if name != "version"
    )
    assert known["params"] == [["'mapcount'", "'oracle'"], ["'w0'", "'w1'", "'w9'"]]


def test_every_step_is_found_and_gaps_are_none() -> None:
    line = [commit("a", 5, 5), commit("b", 5, math.nan), commit("c", 6, 5), commit("d", 6, 4), commit("e", 6, 4, 9)]
    found = [(step.commit[0], step.workload, step.before, step.after, step.worse) for step in steps.steps(line)]
    assert found == [("c", "w0", 5, 6, True), ("d", "w1", 5, 4, False)]


def test_curves_break_where_other_workloads_are_summed() -> None:
    line = [commit("a", 5, 5), commit("b", 6, 5), commit("c", 6), commit("d", 7)]
    (curve,) = steps.curves(line)["copies"]
    assert [[(p.place, p.total, p.workloads, p.rose, p.fell) for p in part] for part in curve.parts] == [
        [(0, 10, 2, 0, 0), (1, 11, 2, 1, 0)],
        [(2, 6, 1, 0, 0), (3, 7, 1, 1, 0)],
    ]


def test_times_are_no_steps() -> None:
    seconds = Benchmark("suite.time_copies", "seconds", "1", ("policy", "workload"), "time")
    line = [
        Results(letter * 40, 0, cells={seconds: {("mapcount", "w0"): value}}) for letter, value in (("a", 1), ("b", 2))
    ]
    assert list(steps.steps(line)) == []


def test_times_alone_are_no_line(tmp_path: Path) -> None:
    seconds = Benchmark("suite.time_copies", "seconds", "1", ("policy", "workload"), "time")
    written(tmp_path, Results("a" * 40, 0, cells={seconds: {("mapcount", "w0"): 1}}))
    done = CliRunner().invoke(cli, ["history", str(tmp_path)])
    assert "holds no exact counters" in done.output


def test_commits_follow_git_not_their_dates(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    hashes = [commit_file(tmp_path, name, date) for name, date in (("first", 2000), ("second", 1000))]
    results = [Results(name, date) for name, date in zip(hashes, (2000, 1000), strict=True)]
    assert [one.commit for one in steps.in_order(results[::-1], tmp_path)] == hashes
    unknown = [*results, Results(NEWEST, 1500)]
    assert [one.date for one in steps.in_order(unknown, tmp_path)] == [1000, 1500, 2000]


def git(folder: Path, *words: str, **environment: str) -> str:
    """Run git as nobody in particular."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | environment
    ).stdout.strip()


def commit_file(folder: Path, name: str, date: int) -> str:
    """Commit an empty file and return the commit's hash."""
    (folder / name).touch()
    git(folder, "add", name)
    git(
        folder,
        "commit",
        "--quiet",
        "--message",
        name,
        GIT_AUTHOR_DATE=f"@{date} +0000",
        GIT_COMMITTER_DATE=f"@{date} +0000",
    )
    return git(folder, "rev-parse", "HEAD")


def test_the_frame_is_tidy(tmp_path: Path) -> None:
    frame = cowbench.load_history(written(tmp_path, commit("a", 5, math.nan), commit("b", 6, 2.5)))
    assert list(frame.columns) == [
        *("commit", "date", "machine", "python", "benchmark", "metric", "unit", "policy", "workload", "value")
    ]
    assert frame["value"].isna().tolist() == [False, True, False, False]
    assert frame["value"].dropna().tolist() == [5, 6, 2.5]
    assert frame["metric"].unique().tolist() == ["copies"]
    assert str(frame["date"].iloc[0]) == "1970-01-01 00:01:37+00:00"


def filled(file: Path, **provenance: Any) -> Store:
    """Return a store with rows of one run."""
    store = Store(file)
    rows = [make_row(seed=seed, copies=copies, reuses=1) for seed, copies in enumerate((3, 4))]
    rows.append(make_row("oracle", status="failed", error="x", copies=None, leaks=None))
    store.point((row["policy"], row["workload"], row["seed"], make_result(row).key) for row in rows)
    store.add([make_result(row) for row in rows], store.begin_run("2026-01-02T00:00:00+00:00", provenance))
    return store


def test_a_store_is_exported_as_means_of_its_costs(tmp_path: Path) -> None:
    with filled(tmp_path / "a.db", commit=NEWEST, dirty=False, python="3.12.1") as store:
        export(store.rows(), store.runs(), tmp_path / "asv")
    (one,) = files.read(tmp_path / "asv")
    assert (one.commit, one.date, one.python, one.machine) == (NEWEST, 1767312000000, "3.12", "model")
    cells = {benchmark.name: value for benchmark, value in one.cells.items()}
    assert cells["cowbench.track_copies"]["mapcount", "small"] == 3.5
    assert math.isnan(cells["cowbench.track_copies"]["oracle", "small"])  # type: ignore[arg-type]
    assert "cowbench.track_reuses" not in cells
    assert "cowbench.track_fork_ns_mean" not in cells


@pytest.mark.parametrize(
    ("provenance", "revision", "words"),
    [
        ({"commit": None, "dirty": None}, None, "name it with --commit"),
        ({"commit": NEWEST, "dirty": True}, None, "with changes on top of ffffffff"),
        ({"commit": NEWEST, "dirty": False}, "no-such-branch", "no commit 'no-such-branch'"),
    ],
)
def test_results_that_belong_to_no_commit_are_refused(
    tmp_path: Path, provenance: dict[str, Any], revision: str | None, words: str
) -> None:
    with filled(tmp_path / "a.db", python="3.11.2", **provenance) as store, pytest.raises(HistoryError, match=words):
        export(store.rows(), store.runs(), tmp_path / "asv", revision)
    assert not (tmp_path / "asv").exists()


def test_commands_export_and_tell_what_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    commit_file(tmp_path, "file", 1000)
    filled(tmp_path / "cowbench.db", commit=None, dirty=None, python="3.11.2").__exit__()
    done = CliRunner().invoke(cli, ["export", "--asv", "history", "--commit", "HEAD"])
    assert done.exit_code == 0, done.output
    one = files.read(Path("history"))[0]
    (copies,) = (benchmark for benchmark in one.cells if benchmark.name == "cowbench.track_copies")
    files.write(Path("history"), [Results("b" * 40, 9_000_000, cells={copies: {("mapcount", "small"): 4}})])
    done = CliRunner().invoke(cli, ["history", "history"])
    assert done.output.splitlines() == [
        "2 commits on model, Python 3.11: 1 counter moved",
        "  bbbbbbbb: copies of mapcount on small 3.5 -> 4 (+0.5): worse",
    ]
    done = CliRunner().invoke(cli, ["history", "history", "--csv", "-"])
    assert done.output.startswith("commit,date,machine,python,benchmark,metric,unit,policy,workload,value\n")
    assert ",copies,copies,mapcount,small,3.5\n" in done.output


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (None, "holds no asv results"),
        ("{", "benchmarks.json: not a result of asv"),
        ('{"version": 7}', "asv format 7, this cowbench reads 2"),
        ('{"version": 2, "a": {}}', "not a result of asv .KeyError: 'version'"),
    ],
)
def test_bad_results_are_one_line(tmp_path: Path, contents: str | None, words: str) -> None:
    if contents is not None:
        (tmp_path / "benchmarks.json").write_text(contents)
    done = CliRunner().invoke(cli, ["history", str(tmp_path)])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert words.replace(".K", "(K") in done.stderr


def test_a_damaged_result_names_its_file(tmp_path: Path) -> None:
    file = next((written(tmp_path, commit("a", 1)) / "model").glob("a*.json"))
    file.write_text(file.read_text().replace('"commit_hash"', '"hash"'))
    with pytest.raises(HistoryError, match=f"{file.name}: not a result of asv"):
        files.read(tmp_path)


def test_the_report_draws_curves_and_lists_steps(tmp_path: Path) -> None:
    from cowbench import plugins

    section = plugins.load("section", "history")()
    assert list(section.build(ReportResults([], []))) == []
    leaks = Benchmark("suite.track_leaks", "pages", "1", ("policy", "workload"))
    line = [commit("a", 5, 5), commit("b", 6, 5), commit("c", 6, 4)]
    for one in line:
        one.cells[leaks] = {("mapcount", "w0"): 0}
    blocks = list(section.build(ReportResults([], [], history=line)))
    said = " ".join(plain(block.text) for block in blocks if isinstance(block, Paragraph))
    assert "3 commits on model, Python 3.11, aaaaaaaa to cccccccc: 2 counters moved, 1 for the worse and 1" in said
    assert "did not move at all: leaks." in said
    (switch,) = (block for block in blocks if isinstance(block, Switch))
    ((name, (figure, ends)),) = switch.choices
    assert name == "copies"
    assert isinstance(figure, Figure)
    assert isinstance(ends, Table)
    hints = [mark.hint for mark in figure.marks.values()]
    assert hints == [
        "mapcount: 10 at the end",
        "bbbbbbbb: mapcount got worse on 1 and better on 0 workloads",
        "cccccccc: mapcount got worse on 0 and better on 1 workloads",
    ]
    table = blocks[-1]
    assert isinstance(table, Table)
    assert [tuple(cell if isinstance(cell, str) else cell.text for cell in row) for row in table.rows] == [  # type: ignore[union-attr]
        ("bbbbbbbb", "1970-01-01", "copies", "mapcount", "w0", "5", "6", "worse"),
        ("cccccccc", "1970-01-01", "copies", "mapcount", "w1", "5", "4", "better"),
    ]
