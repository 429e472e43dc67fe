"""The asv suite misses nothing that is built in, every cell counts, and asv finds the suite and nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import bench_counters, bench_model, cells
from cowbench import costs, plugins, schema, spec, trial
from cowbench.program_file import read_operations

ROOT = Path(__file__).parents[1]


def test_every_built_in_policy_and_workload_is_tracked(tmp_path: Path) -> None:
    policies, workloads = plugins.available("policy"), plugins.available("workload")
    assert sorted(cells.POLICIES) == sorted(policies), "benchmarks/cells.py: POLICIES must name them all"
    lines = [
        f'    "{name}": {sentinel(name, 1, tmp_path)},' for name in sorted(workloads.keys() - cells.SENTINELS.keys())
    ]
    assert not lines, "add to SENTINELS in benchmarks/cells.py:\n" + "\n".join(lines)
    assert cells.SENTINELS.keys() == workloads.keys()


def test_a_workload_that_became_another_program_has_a_new_version(tmp_path: Path) -> None:
    """Old results would be compared with those of another program."""
    for name, known in cells.SENTINELS.items():
        now = sentinel(name, known.version, tmp_path)
        put = now._replace(version=known.version + 1)
        assert known == now, f"{name} does something else now; in SENTINELS of benchmarks/cells.py put {put}"


def sentinel(workload: str, version: int, folder: Path) -> cells.Sentinel:
    """Return how a workload has to stand in SENTINELS: its digest is that of its operations, in any form."""
    file = folder / f"{workload}.jsonl"
    always_reuse, load = spec.parse("policy", "always_reuse"), spec.parse("workload", workload)
    row = trial.measure(always_reuse, load, 0, costs.read_profile(), file)
    digest = hashlib.sha256()
    for operation in read_operations(file):
        digest.update(f"{operation.op} {[plain(value) for value in vars(operation).values()]}\n".encode())
    return cells.Sentinel(version, digest.hexdigest()[:8], bool(row["forks"]))


def plain(value: Any) -> Any:
    """Return an argument of an operation as numbers and words, pages one by one."""
    if isinstance(value, tuple):
        return [[during.at, during.kind, plain(during.pages)] for during in value]
    return list(value) if isinstance(value, range) else value.tolist() if isinstance(value, np.ndarray) else value


def test_every_cell_counts_and_is_the_cell_that_a_run_would_have() -> None:
    made = cells.simulate()
    assert len(made) == len(cells.POLICIES) * len(cells.SENTINELS)
    assert all(schema.METRICS[metric].better == "lower" for metric in cells.METRICS)
    assert {key: cell for key, cell in made.items() if isinstance(cell, str)} == {}
    profile = costs.read_profile()
    row = trial.run_trial(spec.parse("policy", "has_pinned"), spec.parse("workload", "zygote"), 0, profile)
    cell = made["has_pinned", "zygote"]
    assert isinstance(cell, dict)
    assert cell == {name: row[name] for name in cells.METRICS}
    forks = {workload for (_, workload), cell in made.items() if cell["fork_ns_mean"] is not None}  # type: ignore[index]
    assert forks == set(bench_counters.Fork.params[1])


def test_a_cell_that_cannot_run_gives_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "POLICIES", ("no_such_policy",))
    monkeypatch.setattr(cells, "SENTINELS", {"stream": cells.SENTINELS["stream"]})
    made = cells.simulate()
    reason = made["no_such_policy", "stream"]
    assert isinstance(reason, str)
    assert "no_such_policy" in reason
    with pytest.raises(NotImplementedError, match="no_such_policy on stream: "):
        bench_counters.Counters().setup(made, "no_such_policy", "stream")


def test_a_new_version_of_a_workload_is_another_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cells.SENTINELS, "zygote", cells.SENTINELS["zygote"]._replace(version=3))
    assert (cells.label("zygote"), cells.label("stream")) == ("zygote.3", "stream")


@pytest.mark.parametrize("operation", bench_model.OPERATIONS)
def test_operations_of_the_model_start_from_fresh_machines(operation: str) -> None:
    suite, smallest = bench_model.Time(), bench_model.PAGES[0]
    states = []
    for _ in range(2):
        suite.setup(operation, smallest)
        states.append([one.machine.ledger.frames_peak for one in suite.loads])
        suite.time_operation(operation, smallest)
    assert states[0] == states[1]
    assert len(states[0]) == bench_model.OPERATIONS[operation].machines[0]


@cache
def discovered() -> dict[str, dict[str, Any]]:
    """Return what asv's own discovery finds, by name; and under "modules" what it imported."""
    if "CI" not in os.environ:
        pytest.importorskip("asv_runner", reason="asv is not installed; pip install 'cowbench[asv]'")
    program = """if True:
        import io, json, sys
        from asv_runner.discovery import list_benchmarks
        found = io.StringIO()
        list_benchmarks(sys.argv[1], found)
        modules = [name for name in sys.modules if name.startswith("benchmarks.")]
        print(json.dumps({"modules": modules, **{one["name"]: one for one in json.loads(found.getvalue())}}))
    """
    words = [sys.executable, "-c", program, str(ROOT / "benchmarks")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def benchmarks() -> dict[str, dict[str, Any]]:
    return {name: one for name, one in discovered().items() if name != "modules"}


def test_asv_finds_the_suite_and_imports_no_script() -> None:
    assert sorted(benchmarks()) == [
        *(f"bench_counters.Counters.track_{name}" for name in sorted(cells.METRICS) if not name.startswith("fork_")),
        *(f"bench_counters.Fork.track_{name}" for name in sorted(cells.METRICS) if name.startswith("fork_")),
        "bench_end_to_end.Cell.time_cell",
        "bench_end_to_end.CommandLine.timeraw_import",
        "bench_end_to_end.Report.time_report",
        "bench_model.Memory.peakmem_operation",
        "bench_model.Time.time_operation",
    ]
    assert not [name for name in discovered()["modules"] if "ratios" in name]


def test_counters_are_costs_with_units_versions_and_one_simulation() -> None:
    counters = [one for name, one in benchmarks().items() if name.startswith("bench_counters.")]
    assert [one["less_is_better"] for one in counters] == [True] * len(cells.METRICS)
    assert {one["unit"] for one in counters} == set(cells.METRICS.values())
    assert len({one["setup_cache_key"] for one in counters}) == 1
    for one in benchmarks().values():
        assert len(one["version"]) < 40, f"{one['name']} has no version set by hand: every edit would cut its curve"


def test_every_benchmark_has_one_threshold_and_counters_have_none() -> None:
    thresholds = configuration()["regressions_thresholds"]
    for name in benchmarks():
        (threshold,) = [value for pattern, value in thresholds.items() if re.match(pattern, f"{name}(1, 2)@main")]
        assert (threshold == 0) == name.startswith("bench_counters.")


def configuration() -> dict[str, Any]:
    text = (ROOT / "asv.conf.json").read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    return read
