"""The README's commands and examples work as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from cowbench.cli import cli
from tests.made_recording import Store, make

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]
CODE = [block for kind, block in BLOCKS if kind == "python"]


def test_the_readme_shows_make_and_every_command() -> None:
    assert "make report" in README
    assert "make test" in README
    shown = {shlex.split(line)[1] for line in COMMANDS if line.startswith("cowbench")}
    assert shown >= {"list", "run", "show", "report", "export", "check"}
    assert len(CODE) == 2


def test_the_commands_run_in_order_with_the_policy_of_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    policy, _ = CODE
    assert len([line for line in policy.splitlines() if line.strip()]) <= 10
    name = re.findall(r"Save this as `(\w+\.py)`", README)[0]
    Path(name).write_text(policy)
    make(Path("redis.jsonl.gz"), Store(pages=1500, seconds=2, every=1, life=0.4, written=20))  # that needs root
    for line in COMMANDS:
        words = shlex.split(line, comments=True)
        if words[0] == "cowbench":
            fast = ["--jobs", "1"] if words[1] in ("run", "fit") else []
            result = CliRunner().invoke(cli, words[1:] + fast)
            assert result.exit_code == 0, (line, result.output)
    assert "two_references" in Path("report/index.html").read_text()


def test_the_notebook_example_gives_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    *lines, last = [line for line in CODE[1].splitlines() if line]
    assert len(lines) == 2
    names: dict[str, object] = {}
    exec("\n".join([*lines, f"table = {last}"]), names)
    table = names["table"]
    assert table.shape == (1, 2)  # type: ignore[attr-defined]
