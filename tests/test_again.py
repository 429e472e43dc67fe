"""Specs of trials: the command that a report prints for a row makes that row again."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cowbench import again
from cowbench.cli import cli
from cowbench.store import Store
from tests.conftest import RULE, SMALL, write_plugin


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words])


def rows(path: Path) -> list[dict[str, object]]:
    with Store(path, read_only=True) as store:
        return store.rows()


@pytest.mark.parametrize("seed", [None, 2])
def test_the_command_of_a_row_makes_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int | None) -> None:
    monkeypatch.chdir(tmp_path)
    rule, small = write_plugin(tmp_path / "it's here", "rule", RULE), write_plugin(tmp_path, "small", SMALL)
    grid = ("-p", f"mapcount,{rule}", "-w", f"{small}:pages=32", "--seeds", "3", "--jobs", "1")
    assert call("run", *grid, "--store", "first.db").exit_code == 0
    with Store(tmp_path / "first.db", read_only=True) as store:
        (run,) = store.runs()
    assert run["files"] == {"rule": "./it's here/rule.py", "small:pages=32": "./small.py"}
    words = shlex.split(again.command("rule", "small:pages=32", seed, run["files"]))
    assert words[0] == "cowbench"
    done = call(*words[1:], "--seeds", "3", "--jobs", "1")
    assert done.exit_code == 0, done.output
    wanted = [row for row in rows(tmp_path / "first.db") if row["policy"] == "rule" and seed in (None, row["seed"])]
    assert rows(tmp_path / "again.db") == wanted
    assert len(wanted) == (3 if seed is None else 1)


BAD = {
    "no JSON": ("mapcount", "is not {"),
    "no object": ("[1]", "is not {"),
    "no workload": ('{"policy": "mapcount"}', "is not {"),
    "something else": ('{"policy": "mapcount", "workload": "stream", "sed": 1}', "is not {"),
    "seed is no number": ('{"policy": "mapcount", "workload": "stream", "seed": true}', "must be a number"),
    "seed is negative": ('{"policy": "mapcount", "workload": "zygote", "seed": -1}', "must be a number"),
    "seed of an exact workload": ('{"policy": "mapcount", "workload": "stream", "seed": 1}', "has seed 0 only"),
    "unknown policy": ('{"policy": "mapcuont", "workload": "stream"}', "did you mean 'mapcount'?"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_spec_that_is_none_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    text, words = BAD[case]
    done = call("run", "--store", str(tmp_path / "s.db"), "--spec", text)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not (tmp_path / "s.db").exists()


def test_a_spec_names_policy_and_workload_by_itself(tmp_path: Path) -> None:
    done = call("run", "--store", str(tmp_path / "s.db"), "--spec", "{}", "-p", "mapcount")
    assert (done.exit_code, "leave out --policy" in done.stderr) == (2, True)
