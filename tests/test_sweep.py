"""Sweeps: only what is missing runs, workers and their deaths change nothing, a killed run is resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import cowbench
from cowbench import keys, plugins, summary
from cowbench.costs import read_profile
from cowbench.errors import ParameterError, PluginError, StoreError
from cowbench.execute import Processes
from cowbench.grid import Cell, grid, specs
from cowbench.schema import Row
from cowbench.store import Store
from cowbench.sweep import Progress, sweep
from tests.conftest import RULE, SMALL, make_row, write_plugin

PROFILE = read_profile()
EXACT = SMALL.replace("    pages:", "    exact = True\n    pages:").replace(
    "rng.integers(0, self.pages, 16)", "range(16)"
)


def cells(
    folder: Path, policies: Sequence[str] = ("mapcount", "page_count"), text: str = SMALL, seeds: int = 5
) -> list[Cell]:
    return grid(specs("policy", policies), specs("workload", [write_plugin(folder, "small", text)]), seeds, PROFILE)


def sweep_rows(path: Path, wanted: list[Cell], jobs: int = 1) -> list[Row]:
    with Store(path) as store:
        sweep(wanted, store, PROFILE, workers=Processes(jobs))
        return store.rows()


def test_sampled_workloads_run_every_seed_and_exact_ones_one(tmp_path: Path) -> None:
    assert [cell.seed for cell in cells(tmp_path, ["mapcount"])] == [0, 1, 2, 3, 4]
    assert [cell.seed for cell in cells(tmp_path, ["mapcount"], EXACT)] == [0]
    with pytest.raises(ParameterError, match="seeds=0"):
        cells(tmp_path, seeds=0)


def test_a_second_run_does_only_what_is_missing(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        first = sweep(cells(tmp_path, seeds=3), store, PROFILE)
        second = sweep(cells(tmp_path, seeds=5), store, PROFILE)
        third = sweep(cells(tmp_path, seeds=5), store, PROFILE)
    assert (first.total, first.cached) == (6, 0)
    assert (second.total, second.cached) == (4, 6)
    assert (third.total, third.cached) == (0, 10)


def test_one_and_four_workers_give_the_same_bytes(tmp_path: Path) -> None:
    wanted = cells(tmp_path)
    one, four = (sweep_rows(tmp_path / f"{jobs}.db", wanted, jobs) for jobs in (1, 4))
    assert json.dumps(one) == json.dumps(four)
    assert len(one) == 10


def test_the_order_of_cells_does_not_matter(tmp_path: Path) -> None:
    wanted = cells(tmp_path)
    assert sweep_rows(tmp_path / "a.db", wanted) == sweep_rows(tmp_path / "b.db", wanted[::-1])


def test_all_that_changes_a_row_changes_its_key(tmp_path: Path) -> None:
    def key(policy: str = "mapcount", text: str = SMALL, seed: int = 0, scale: float = 1) -> str:
        load = specs("workload", [write_plugin(tmp_path, "small", text)])[0]
        return keys.cell_key(specs("policy", [policy])[0], load, seed, PROFILE.scaled("fork_base", scale))

    made = [
        key(),
        key(policy="has_pinned"),
        key(policy="has_pinned:gfp=atomic"),
        key(policy=write_plugin(tmp_path / "a", "rule", RULE)),
        key(policy=write_plugin(tmp_path / "a", "rule", RULE + "# edited\n")),
        key(text=SMALL + "# edited\n"),
        key(seed=1),
        key(scale=2),
    ]
    assert len(set(made)) == len(made)
    assert key() == made[0]


READS = """    def files_read(self) -> tuple[Path, ...]:
        return (Path({!r}),)

"""


def test_a_file_that_a_workload_reads_is_part_of_the_key(tmp_path: Path) -> None:
    program = tmp_path / "program.jsonl"
    made = []
    for contents in ("one", "two"):
        program.write_text(contents)
        text = "from pathlib import Path\n" + SMALL.replace("    pages:", READS.format(str(program)) + "    pages:")
        load = specs("workload", [write_plugin(tmp_path, "small", text)])[0]
        made.append(keys.cell_key(specs("policy", ["mapcount"])[0], load, 0, PROFILE))
    assert made[0] != made[1]


def test_every_engine_file_that_a_trial_imports_is_in_the_key() -> None:
    code = (
        "import cowbench.trial, sys; print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('cowbench')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {Path(name) for name in done.stdout.split() if name.endswith(".py")}
    assert loaded <= set(keys.engine_files())


def test_failed_cells_are_kept_and_run_again_only_when_asked(tmp_path: Path) -> None:
    flag = tmp_path / "mended"
    text = SMALL.replace(
        "parent = machine.spawn()", f"parent = machine.spawn()\n        assert Path({str(flag)!r}).exists(), 'not yet'"
    )
    wanted = cells(
        tmp_path, ["mapcount"], text.replace("from numpy", "from pathlib import Path\n\nfrom numpy", 1), seeds=2
    )
    with Store(tmp_path / "s.db") as store:
        assert sweep(wanted, store, PROFILE).failed == 2
        assert [(r["status"], "AssertionError: not yet" in r["error"]) for r in store.rows()] == [("failed", True)] * 2
        flag.touch()
        assert sweep(wanted, store, PROFILE).total == 0
        again = sweep(wanted, store, PROFILE, retry_failed=True)
        assert (again.total, again.failed) == (2, 0)
        assert [row["status"] for row in store.rows()] == ["ok", "ok"]


def test_a_cell_that_kills_its_worker_is_given_up_and_the_others_are_not(tmp_path: Path) -> None:
    text = SMALL.replace("parent = machine.spawn()", "draw = rng.integers(3)\n        parent = machine.spawn()")
    deadly = text.replace("parent =", "if draw == 0:\n            os.kill(os.getpid(), 9)\n        parent =", 1)
    wanted = cells(tmp_path, ["mapcount"], deadly.replace("from numpy", "import os\n\nfrom numpy", 1), seeds=12)
    draws = [trial_draw(cell) for cell in wanted]
    rows = sweep_rows(tmp_path / "s.db", wanted, jobs=2)
    assert [row["status"] for row in rows] == ["failed" if draw == 0 else "ok" for draw in draws]
    assert {0} < set(draws)
    assert all("died each time" in row["error"] for row in rows if row["status"] == "failed")


def trial_draw(cell: Cell) -> int:
    from cowbench.trial import generator

    return int(generator(cell.workload, cell.seed).integers(3))


def test_a_plugin_edited_under_way_fails_its_cells_only(tmp_path: Path) -> None:
    wanted = cells(tmp_path, ["mapcount", write_plugin(tmp_path, "rule", RULE)], seeds=1)
    write_plugin(tmp_path, "rule", RULE + "# edited\n")
    rows = sweep_rows(tmp_path / "s.db", wanted)
    assert [row["status"] for row in rows] == ["ok", "failed"]
    assert "changed after the run had begun" in rows[1]["error"]


def test_two_files_of_one_name_in_one_run_are_refused(tmp_path: Path) -> None:
    paths = [write_plugin(tmp_path / "a", "rule", RULE), write_plugin(tmp_path / "b", "rule", RULE + "# other\n")]
    with pytest.raises(PluginError, match="two policy files are called 'rule'"):
        specs("policy", paths)


def test_a_broken_file_of_the_users_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path / "policies", "rule", RULE)
    write_plugin(tmp_path / "policies", "broken", "class")
    monkeypatch.setenv("COWBENCH_PLUGINS", str(tmp_path))
    broken: list[PluginError] = []
    names = [one.name for one in specs("policy", [], broken.append)]
    assert {"rule", "mapcount", "oracle"} <= set(names)
    assert len(broken) == 1
    assert "broken.py:1" in str(broken[0])


def test_a_killed_run_keeps_its_rows_and_is_resumed(tmp_path: Path) -> None:
    slow = SMALL.replace("parent = machine.spawn()", "time.sleep(0.1)\n        parent = machine.spawn()")
    load = write_plugin(tmp_path, "small", slow.replace("from numpy", "import time\n\nfrom numpy", 1))
    store = tmp_path / "s.db"
    words = [
        "run",
        "--policy",
        "mapcount,oracle",
        "--workload",
        load,
        "--seeds",
        "20",
        "--jobs",
        "2",
        "--store",
        str(store),
    ]
    run = subprocess.Popen(
        [sys.executable, "-m", "cowbench", *words], stdout=subprocess.DEVNULL, start_new_session=True
    )
    kept = wait_for_rows(store)
    run.send_signal(signal.SIGKILL)
    run.wait()
    wait_for_end_of_group(run.pid)
    assert 0 < kept <= len(cowbench.load(store)) < 40
    wanted = cells(tmp_path, ["mapcount", "oracle"], Path(load).read_text(), seeds=20)
    seen: list[Progress] = []
    with Store(store) as opened:
        sweep(wanted, opened, PROFILE, report=seen.append)
        resumed = opened.rows()
    assert kept <= seen[0].cached
    assert json.dumps(resumed) == json.dumps(sweep_rows(tmp_path / "fresh.db", wanted, jobs=2))


def wait_for_rows(store: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with Store(store, read_only=True) as opened:
                rows = len(opened.rows())
        except StoreError:  # not there yet, or just being created
            rows = 0
        if rows:
            return rows
        time.sleep(0.05)
    raise AssertionError("no row was written within a minute")


def wait_for_end_of_group(group: int) -> None:
    """Wait until no worker of a killed run is left."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("workers outlived the run that was killed")


def test_the_notebook_form_returns_the_rows_that_were_asked_for(tmp_path: Path) -> None:
    load = write_plugin(tmp_path, "small", SMALL)
    frame = cowbench.run(policies="mapcount,oracle", workloads=[load], seeds=2, store=tmp_path / "s.db")
    assert list(frame["policy"]) == ["mapcount", "mapcount", "oracle", "oracle"]
    one = cowbench.run(policies=["oracle"], workloads=[load], seeds=1, store=tmp_path / "s.db")
    assert len(one) == 1
    assert len(cowbench.load(tmp_path / "s.db")) == 4


CURVE = SMALL.replace(
    "    pages: int",
    '    curve = "pages"\n    points = ({"pages": 8}, {"pages": 200})\n    extra: int = parameter(1)\n    pages: int',
)


def test_a_run_of_everything_has_the_points_of_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path / "workloads", "small", CURVE)
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tmp_path))
    every = [one.text for one in specs("workload", ())]
    assert [text for text in every if text.startswith("small")] == ["small", "small:pages=8", "small:pages=200"]
    assert [one.text for one in specs("workload", ["small"])] == ["small"]


def test_rows_say_of_which_curve_they_are_a_point(tmp_path: Path) -> None:
    load = write_plugin(tmp_path, "small", CURVE)
    texts = [f"{load}{values}" for values in ("", ":pages=8", ":pages=9", ":pages=8,extra=2")]
    rows = cowbench.run(["mapcount"], texts, seeds=1)
    found = dict(zip(rows["workload"], rows["curve"], strict=True))
    assert found == {"small": "", "small:pages=8": "pages", "small:pages=9": "", "small:extra=2,pages=8": ""}


def test_points_stand_beside_their_workload_only_if_it_is_not_there() -> None:
    default, point, other = make_row(), make_row(workload="small:pages=8", curve="pages"), make_row(workload="x")
    assert summary.compared([default, point, other]) == [default, other]
    assert summary.compared([point, other]) == [point, other]
