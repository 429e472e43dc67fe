"""make asv and make asv-compare: what they refuse, what they say about counters that moved, what the page lists."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cells
from benchmarks.commits import asv as runner
from benchmarks.commits import backfill, compare, git, run
from benchmarks.commits import count as counting
from cowbench.errors import HistoryError
from cowbench.history import files
from cowbench.history.files import Results
from tests.test_history import commit_file
from tests.test_history import git as in_repository


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits in place of this one, and asv that does nothing but count what it was asked."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    in_repository(folder, "init", "--quiet", "--initial-branch", "main")
    for number, name in enumerate(("first", "second")):
        commit_file(folder, name, 1000 + number)
    use(folder, monkeypatch)
    return folder


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "asv.conf.json").write_text("{}")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "exclude").write_text("asv.conf.json\n.asv\n")
    monkeypatch.setattr(git, "ROOT", folder)
    monkeypatch.setattr(runner, "SCRATCH", folder / ".asv")
    monkeypatch.setattr(compare, "RESULTS", folder / ".asv" / "compare")
    monkeypatch.setattr(runner.Asv, "call", lambda *_: pytest.fail("asv was called"))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1")


def said_by(main: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """Return the one line that a script says when it refuses."""
    monkeypatch.setattr("sys.argv", ["script", *words])
    assert main() == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    return told.err


def test_uncommitted_changes_are_refused(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "policy.py").touch()
    for main, words in ((run.main, ()), (compare.main, ("HEAD~1",)), (backfill.main, ())):
        assert "policy.py is not committed" in said_by(main, capsys, monkeypatch, *words)


def test_records_do_not_count_as_changes(checkout: Path) -> None:
    record = checkout / "benchmarks" / "history" / "model" / "a.json"
    record.parent.mkdir(parents=True)
    record.touch()
    git.need_clean()


def test_an_unknown_base_is_refused(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no commit 'no-such'; git log" in said_by(compare.main, capsys, monkeypatch, "no-such")
    assert "'main' is the current commit itself" in said_by(compare.main, capsys, monkeypatch, "main")


def test_a_shallow_clone_is_refused_where_history_is_needed(
    checkout: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", checkout.as_uri(), str(clone)], check=True)
    use(clone, monkeypatch)
    assert "shallow, so there is no history; 'git fetch" in said_by(run.main, capsys, monkeypatch)
    assert "no commit 'HEAD~1'; this clone is shallow" in said_by(compare.main, capsys, monkeypatch, "HEAD~1")


def test_no_repository_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git, "ROOT", tmp_path)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1")
    assert "no git repository; clone the project" in said_by(run.main, capsys, monkeypatch)


def test_missing_asv_is_told(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    for main, words in ((run.main, ()), (compare.main, ("HEAD~1",))):
        assert "asv is not installed; pip install 'cowbench[asv]'" in said_by(main, capsys, monkeypatch, *words)


def everything(commit: str, **changed: float) -> Results:
    """Return a commit on which every counter is 10, but for copies of some policies on zygote."""
    results = Results(commit, 0)
    for benchmark, metric, workloads in counting.benchmarks():
        values: dict[tuple[str, ...], float | None] = {(p, w): 10 for p in cells.POLICIES for w in workloads}
        if metric == "copies":
            values |= {(policy, "zygote"): value for policy, value in changed.items()}
        results.cells[benchmark] = values
    return results


def counted(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, before: dict[str, float], after: dict[str, float], code: int
) -> None:
    """Let asv find these copies at the two commits and exit with `code`."""

    def call(self: runner.Asv, *words: str) -> int:
        if words[0] != "continuous":
            return 0
        assert words[1:3] == ("--factor", "1.0")
        commits = [everything(commit, **changed) for commit, changed in zip(words[-2:], (before, after), strict=True)]
        files.write(compare.RESULTS, commits)
        return code

    compare.RESULTS.mkdir(parents=True)
    monkeypatch.setattr(runner.Asv, "call", call)


def test_a_counter_that_rose_by_one_is_named_and_fails(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(checkout, monkeypatch, {"mapcount": 10, "oracle": 10}, {"mapcount": 11, "oracle": 9}, 1)
    assert compare.compare("HEAD~1") == 1
    first = git.commit_of("HEAD~1")[:8]
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"On zygote, mapcount has 10 % more copies than in {first} (11 against 10, exact): worse.",
        f"On zygote, oracle has 10 % fewer copies than in {first} (9 against 10, exact): better.",
        f"1 cells worse, 1 better, {counting.expected() - 2:,} equal or without a counterpart",
    ]


def test_equal_counters_pass(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(checkout, monkeypatch, {}, {}, 0)
    assert compare.compare("HEAD~1") == 0
    assert f"{counting.expected():,} of {counting.expected():,} cells counted" in capsys.readouterr().out


def test_a_verdict_that_asv_does_not_share_is_an_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted(checkout, monkeypatch, {}, {"mapcount": 11}, 0)
    with pytest.raises(HistoryError, match="asv and cowbench disagree"):
        compare.compare("HEAD~1")


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_cell_that_was_not_counted_is_an_error(value: float | None) -> None:
    results = everything("a" * 40)
    for values in results.cells.values():
        if ("mapcount", "no_fork") in values:
            values["mapcount", "no_fork"] = value
    with pytest.raises(
        HistoryError, match=r"6 of .* cells were not counted at aaaaaaaa: copies of mapcount on no_fork;"
    ):
        counting.need_every_cell(results)


def test_asv_that_ran_nothing_is_an_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compare.RESULTS.mkdir(parents=True)
    monkeypatch.setattr(runner.Asv, "call", lambda *_: 0)
    with pytest.raises(HistoryError, match="asv measured nothing"):
        compare.compare("HEAD~1")


def test_ci_accepts_a_rise_that_the_commit_announces(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(checkout, monkeypatch, {}, {"mapcount": 11}, 1)
    assert compare.after_parent() == 1
    in_repository(checkout, "commit", "--quiet", "--allow-empty", "-m", "x\n\nCounters-move: mapcount errs more")
    assert compare.after_parent() == 0
    assert "announced: mapcount errs more" in capsys.readouterr().out


def test_ci_goes_on_where_the_parent_cannot_be_built(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted(checkout, monkeypatch, {}, {}, 2)
    monkeypatch.setattr(compare, "absent", lambda results: ["x"] * counting.expected())
    assert compare.after_parent() == 0
    assert f"nothing can be counted at {git.commit_of('HEAD^')[:8]}; what asv said" in capsys.readouterr().out
    with pytest.raises(HistoryError, match="nothing can be counted"):
        compare.compare("HEAD^")


def test_ci_counts_a_commit_without_parent_alone(
    checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_repository(checkout, "checkout", "--quiet", "--detach", "HEAD~1")

    def call(self: runner.Asv, *words: str) -> int:
        files.write(compare.RESULTS, [everything(git.commit_of("HEAD"))])
        return 0

    compare.RESULTS.mkdir(parents=True)
    monkeypatch.setattr(runner.Asv, "call", call)
    assert compare.after_parent() == 0
    assert "HEAD alone is counted" in capsys.readouterr().out


def test_a_commit_is_counted_on_its_own_engine_and_policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, folder = git.ROOT, tmp_path / "checkout"
    for name in (*backfill.NEEDED, "benchmarks/cells.py"):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / "benchmarks").mkdir()
            shutil.copy(source, folder / name)
    (folder / "policies" / "oracle.py").unlink()
    in_repository(folder, "init", "--quiet")
    in_repository(folder, "add", "--all")
    in_repository(folder, "commit", "--quiet", "--message", "all")
    # What lies there now is another policy than the commit's, and must not be what is counted.
    (folder / "policies" / "mapcount.py").write_text("broken")
    expected = {key: cell for key, cell in cells.simulate(["no_fork"]).items() if key[0] != "oracle"}
    monkeypatch.setattr(git, "ROOT", folder)
    monkeypatch.setattr(backfill, "HISTORY", folder / "benchmarks" / "history")
    monkeypatch.setattr(backfill, "ABSENT", folder / "benchmarks" / "history" / "absent.csv")
    (commit,) = backfill.commits()
    assert backfill.missing(commit) == list(cells.SENTINELS)

    made = backfill.count(commit, ["no_fork"])
    reason = made.pop(("oracle", "no_fork"))
    assert made == expected
    assert isinstance(reason, str)
    assert "no policy 'oracle'" in reason

    backfill.record(commit, made | {("oracle", "no_fork"): reason})
    assert backfill.missing(commit) == [name for name in cells.SENTINELS if name != "no_fork"]
    assert [line[:3] for line in backfill.read_absent()] == [(commit[:8], "no_fork", "oracle")]
    copies = next(values for benchmark, values in backfill.recorded(commit).cells.items() if "copies" in benchmark.name)
    assert copies["mapcount", "no_fork"] == expected["mapcount", "no_fork"]["copies"]  # type: ignore[index]


def test_the_history_holds_counters_of_the_suite_and_no_times() -> None:
    names = {benchmark.name: benchmark for benchmark, _, _ in counting.benchmarks()}
    known = files.read_benchmarks(runner.HISTORY)
    assert {name: benchmark for name, benchmark in known.items() if name.startswith("bench_counters.")} == names
    recorded = files.read(runner.HISTORY)
    assert len(recorded) > 40
    for results in recorded:
        assert results.machine == files.MACHINE
        assert {benchmark.name for benchmark in results.cells} == set(names)
    explained = {
        (line.commit, workload, policy)
        for line in backfill.read_absent()
        for workload in line.workloads.split()
        for policy in line.policies.split()
    }
    for results in recorded:
        for benchmark, values in results.cells.items():
            for (policy, workload), value in values.items():
                reason = (results.commit[:8], workload, policy) in explained
                assert counting.is_absent(value) == reason, (results.commit, benchmark.name, policy, workload)


def test_asv_writes_what_it_knows_of_the_machine_as_the_history_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "CI" not in os.environ:
        pytest.importorskip("asv_runner", reason="asv is not installed; pip install 'cowbench[asv]'")
    (tmp_path / "asv.conf.json").write_text((runner.HISTORY.parents[1] / "asv.conf.json").read_text())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(git, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "SCRATCH", tmp_path / ".asv")
    mine = {"mine": {"ram": "much"}, "version": 1}
    (tmp_path / ".asv-machine.json").write_text(json.dumps(mine))
    with runner.asv(tmp_path / "results"):
        known = json.loads((tmp_path / ".asv-machine.json").read_text())
    assert known[files.MACHINE] == files.MODEL
    assert known["mine"] == mine["mine"]
    recorded = json.loads((runner.HISTORY / files.MACHINE / "machine.json").read_text())
    assert recorded == {**files.MODEL, "version": 1}
