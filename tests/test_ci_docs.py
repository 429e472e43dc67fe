"""The workflow for users' own CI parses and its commands run; what docs/ci.md tells to type exists."""

from __future__ import annotations

import os
import re
import shlex
import string
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cowbench.cli import cli
from tests.test_readme import CODE

ROOT = Path(__file__).parents[1]


def workflow() -> dict[Any, Any]:
    if "CI" not in os.environ:
        pytest.importorskip("yaml", reason="PyYAML is not installed; it comes with pip install 'cowbench[asv]'")
    import yaml

    read: dict[Any, Any] = yaml.safe_load((ROOT / "docs" / "workflow.yml").read_text(encoding="utf-8"))
    return read


def test_the_workflow_checks_runs_compares_and_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.test_history import commit_file, git

    read = workflow()
    assert read[True] == {
        "push": {"branches": ["main"]},
        "pull_request": None,
    }  # YAML reads the key `on` as a truth value
    steps = read["jobs"]["compare"]["steps"]
    words = [
        shlex.split(string.Template(step["run"]).substitute(read["env"] | {"SEEDS": "1"}))
        for step in steps
        if "run" in step
    ]
    assert words.pop(0) == ["python", "-m", "pip", "install", "cowbench"]
    assert [line[:2] for line in words] == [["cowbench", verb] for verb in ("check", "run", "report", "export")]
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    Path(read["env"]["POLICY"]).write_text(CODE[0])
    commit_file(tmp_path, read["env"]["POLICY"], 1_000_000)
    for line in words:
        done = CliRunner().invoke(cli, line[1:])
        assert done.exit_code == 0, (line, done.output)
    (upload,) = (step for step in steps if step.get("uses", "").startswith("actions/upload-artifact@"))
    assert all(Path(path).exists() for path in upload["with"]["path"].split())
    assert "two_references" in Path("report/index.html").read_text()
    assert list(Path("asv-results/model").glob("*-cowbench-py*.json"))


def test_the_commands_of_the_guide_exist(tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make ([\w-]+)", guide, re.MULTILINE))
    assert targets == {"asv", "asv-compare"}
    assert all(f"\n{target}: " in makefile for target in targets)
    for module in re.findall(r"python -m ([\w.]+)", guide):
        assert ROOT.joinpath(*module.split(".")).with_suffix(".py").is_file() or module == "http.server"
    done = CliRunner().invoke(cli, ["history", str(ROOT / "benchmarks" / "history")])
    assert done.exit_code == 0, done.output
    assert "commits on model, Python 3.11" in done.output
