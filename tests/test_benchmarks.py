"""The benchmark script runs, prints every target, and its C machine counts what the model counts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TARGETS = 17
NEED_COMPILER = {1, 2, 3, 6, 7, 8, 9, 10, 11}


def run(*arguments: str, **environment: str) -> str:
    """Return what the script printed; it must succeed."""
    command = [sys.executable, str(ROOT / "benchmarks" / "ratios" / "ratios.py"), "--quick", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, cwd=ROOT, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rows(output: str) -> dict[int, str]:
    """Return the rows of the table by number."""
    return {int(found[1]): found[0] for found in re.finditer(r"^ ?(\d+)  .*$", output, re.MULTILINE)}


@pytest.mark.skipif(shutil.which(os.environ.get("CC", "cc")) is None, reason="no C compiler")
def test_every_target_is_measured_and_c_counts_what_the_model_counts() -> None:
    output = run()
    table = rows(output)
    assert sorted(table) == list(range(1, TARGETS + 1))
    assert all(re.search(r"  (ok|ok, stretch|miss)$", line) for line in table.values())
    assert output.startswith("QUICK")
    assert len(re.findall(r"^counts of model and C, .*: agree on all \d+$", output, re.MULTILINE)) == 5
    assert "DISAGREE" not in output


def test_without_a_compiler_the_run_says_so_and_succeeds() -> None:
    table = rows(run("--only", ",".join(map(str, sorted(NEED_COMPILER | {12}))), CC="no-such-compiler"))
    assert {number for number, line in table.items() if "no compiler" in line} == NEED_COMPILER


def test_an_unknown_target_is_refused() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "ratios" / "ratios.py"), "--only", "18"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "targets are 1 to 17" in done.stderr
