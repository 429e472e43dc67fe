"""Recordings of real programs, those built in and one made now, agree with what the kernel did to their memory."""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from cowbench import spec
from cowbench.cli import cli
from cowbench.drivers.held import Comparison, compare
from cowbench.drivers.outcome import DRIVERS
from cowbench.linux.era import era
from cowbench.record.effects import MOVED, UNANNOUNCED
from cowbench.record.loop import LATE
from cowbench.record.tree import SHARED
from cowbench.recording import Counter, End, Missed, read_facts, read_lines
from tests.test_workloads import load

WITHIN = 0.02
"""How far the model may be off what the kernel did."""


def recording(name: str) -> Path:
    """Return the file of a recorded workload."""
    (file,) = load(name)().files_read()
    return file


@cache
def comparison(name: str) -> Comparison:
    """Hold a recorded workload against the kernel it was recorded on."""
    file = recording(name)
    return compare(file, spec.parse("policy", era(read_facts(file).kernel)).build())


@cache
def counters(name: str) -> dict[str, list[float]]:
    """Return what was counted while a workload was recorded, by the names of the counters."""
    found = defaultdict(list)
    for line in read_lines(recording(name)):
        if isinstance(line, Counter):
            found[line.name].append(line.value)
    return found


@pytest.mark.parametrize("name", DRIVERS)
def test_a_built_in_recording_is_small_complete_and_exact(name: str) -> None:
    file = recording(name)
    assert file.stat().st_size < 1_000_000
    facts, lines = read_facts(file), list(read_lines(file))
    assert (facts.way, facts.sampled) == ("userfaultfd", False)
    assert isinstance(lines[-1], End)
    assert (lines[-1].why, lines[-1].status) == ("all processes ended", 0)
    missed = {line.what for line in lines if isinstance(line, Missed)}
    assert missed <= {LATE, MOVED, SHARED, UNANNOUNCED}  # no process, no program, no huge page


@pytest.mark.parametrize("name", DRIVERS)
def test_the_model_moves_the_pages_that_the_kernel_moved(name: str) -> None:
    held = comparison(name)
    assert held.changed > 1_000
    assert held.predicted == pytest.approx(held.changed, rel=WITHIN)
    for one in held.held:
        assert one.predicted_present == pytest.approx(one.present, abs=2)


def test_redis_counts_what_the_model_says_its_children_have_of_their_own() -> None:
    own = [one.own for one in comparison("redis_bgsave").ended]
    assert own == pytest.approx(counters("redis_bgsave")["rdb_last_cow_size"], rel=WITHIN)


@pytest.mark.parametrize(
    ("name", "others"), [("prefork_server", 0.02), ("python_pool", 0.08), ("postgres_backends", 0.3)]
)
def test_the_kernel_counts_what_the_model_copies_and_some_that_is_no_anonymous_memory(name: str, others: float) -> None:
    """wpcopy has pages of files and the zero page, too: 40 to 60 a child."""
    copied = sum(one.copied for one in comparison(name).ended)
    (counted,) = counters(name)["wpcopy of children"]
    assert counted * (1 - others) <= copied <= counted * (1 + WITHIN)


def test_redis_is_recorded_and_held_against_this_kernel(tmp_path: Path) -> None:
    if "CI" not in os.environ and (os.geteuid() or shutil.which("redis-server") is None):
        pytest.skip("needs root and the package redis-server")
    seconds = "20" if "CI" in os.environ else "5"
    words = ["kernel", "programs", "redis_bgsave", "--only-recorded", "--within", f"{WITHIN * 100:g}"]
    done = CliRunner().invoke(cli, [*words, "--size", "20000", "--seconds", seconds, "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    lines = [re.split("  +", line) for line in done.output.splitlines() if line.startswith("redis_bgsave, ")]
    assert len(lines) == 3
    for _, changed, predicted, off, counter, *_ in lines:
        assert int(changed.replace(",", "")) > 500
        assert f"{int(predicted.replace(',', '')) / int(changed.replace(',', '')) - 1:+.2%}" == off
        assert counter == "rdb_last_cow_size"
