"""Dask clusters: the same rows as processes make, whoever is killed, and no rows from workers that are not the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import cowbench
from cowbench import cluster, parcels
from cowbench.cli import cli
from cowbench.errors import ClusterError
from cowbench.grid import Cell, grid, specs
from cowbench.store import Store
from cowbench.sweep import _batches, sweep
from tests.conftest import RULE, SMALL, write_plugin
from tests.test_sweep import PROFILE, READS, cells, sweep_rows, trial_draw, wait_for_rows

if "CI" not in os.environ:
    pytest.importorskip("distributed", reason="Dask is not installed; pip install 'cowbench[dask]'")
ROOT = Path(__file__).parents[1]


class Dask:
    """A scheduler and workers, each a process of its own that can be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0")
        log = self._wait_for("scheduler", r"Scheduler at:\s+(tcp://\S+)")
        self.address = f"dask://{log[1].removeprefix('tcp://')}"
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(self, path: Path = ROOT) -> None:
        """Start a worker that finds cowbench in `path`."""
        place = self.address.removeprefix("dask://")
        name = f"worker{len(self.workers)}"
        options = ("--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder))
        self.workers.append(self._start("worker", *options, place, log=name, path=path))
        self._wait_for(name, r"Registered to:")

    def _start(self, *words: str, log: str = "scheduler", path: Path = ROOT) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": str(path)}
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        with (self._folder / log).open("wb") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=self._folder)

    def _wait_for(self, log: str, words: str) -> re.Match[str]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = re.search(words, (self._folder / log).read_text())
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError((self._folder / log).read_text())

    def stop(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    (tmp_path / "dask").mkdir()
    made = Dask(tmp_path / "dask")
    yield made
    made.stop()


def command(store: Path, executor: str, load: str, seeds: int, policies: str = "mapcount,oracle") -> list[str]:
    words = ["run", "--policy", policies, "--workload", load, "--seeds", str(seeds), "--store", str(store)]
    return [sys.executable, "-m", "cowbench", *words, "--executor", executor]


def exported(store: Path) -> bytes:
    file = store.with_suffix(".csv")
    done = CliRunner().invoke(cli, ["export", "--store", str(store), "--csv", str(file)])
    assert done.exit_code == 0, done.output
    return file.read_bytes()


def test_two_thousand_cells_with_a_worker_killed_are_those_of_processes(tmp_path: Path, dask: Dask) -> None:
    load = write_plugin(tmp_path, "small", SMALL)
    wanted = grid(
        specs("policy", ["mapcount,page_count,has_pinned,oracle"]),
        specs("workload", [load]),
        seeds=500,
        profile=PROFILE,
    )
    assert len(wanted) == 2000
    dask.add_worker()
    dask.add_worker()
    run = subprocess.Popen(
        command(tmp_path / "dask.db", dask.address, load, 500, "mapcount,page_count,has_pinned,oracle")
    )
    kept = wait_for_rows(tmp_path / "dask.db")
    dask.workers[0].send_signal(signal.SIGKILL)
    assert run.wait(300) == 0
    assert kept < 2000
    here = sweep_rows(tmp_path / "here.db", wanted, jobs=2)
    with Store(tmp_path / "dask.db") as store:
        rows, log = store.rows(), store.runs()
    assert json.dumps(rows) == json.dumps(here)
    assert len({(row["policy"], row["seed"]) for row in rows}) == len(rows) == 2000
    assert [one["cells"] for one in log] == [2000]
    assert exported(tmp_path / "dask.db") == exported(tmp_path / "here.db")


def test_a_lost_scheduler_is_one_line_and_the_same_command_goes_on(tmp_path: Path, dask: Dask) -> None:
    slow = SMALL.replace("parent = machine.spawn()", "time.sleep(0.1)\n        parent = machine.spawn()")
    load = write_plugin(tmp_path, "small", slow.replace("from numpy", "import time\n\nfrom numpy", 1))
    store = tmp_path / "s.db"
    dask.add_worker()
    words = command(store, dask.address, load, 40)
    run = subprocess.Popen([*words, "--quiet"], stderr=subprocess.PIPE, text=True)
    kept = wait_for_rows(store)
    dask.scheduler.kill()
    said = run.communicate(timeout=60)[1]
    assert (run.returncode, said.count("\n")) == (2, 1), said
    assert f"{dask.address}: the scheduler of the cluster has gone; finished cells are kept" in said
    left = len(cowbench.load(store))
    assert kept <= left < 80
    subprocess.run([*words[:-1], "dask:local", "--jobs", "2"], check=True, timeout=120)
    wanted = cells(tmp_path, ["mapcount", "oracle"], Path(load).read_text(), seeds=40)
    with Store(store) as opened:
        assert [run["cells"] for run in opened.runs()] == [left, 80 - left]
        assert json.dumps(opened.rows()) == json.dumps(sweep_rows(tmp_path / "here.db", wanted, jobs=2))


def test_a_cell_that_kills_its_workers_is_given_up_as_with_processes(tmp_path: Path) -> None:
    text = SMALL.replace("parent = machine.spawn()", "draw = rng.integers(3)\n        parent = machine.spawn()")
    deadly = text.replace("parent =", "if draw == 0:\n            os.kill(os.getpid(), 9)\n        parent =", 1)
    wanted = cells(tmp_path, ["mapcount"], deadly.replace("from numpy", "import os\n\nfrom numpy", 1), seeds=6)
    draws = [trial_draw(cell) for cell in wanted]
    assert {0} < set(draws)
    with Store(tmp_path / "s.db") as store, cluster.opened("dask:local", 2) as workers:
        sweep(wanted, store, PROFILE, workers=workers)
        rows = store.rows()
    assert [row["status"] for row in rows] == ["failed" if draw == 0 else "ok" for draw in draws]
    assert json.dumps(rows) == json.dumps(sweep_rows(tmp_path / "here.db", wanted, jobs=2))


@pytest.mark.parametrize("kind", ["other", "none"])
def test_a_worker_that_would_make_other_rows_makes_none(tmp_path: Path, dask: Dask, kind: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    if kind == "other":
        shutil.copytree(ROOT / "cowbench", elsewhere / "cowbench")
        with (elsewhere / "cowbench" / "costs.py").open("a") as file:
            file.write("# edited\n")
    else:
        (elsewhere / "cowbench").mkdir(parents=True)
        stub = "raise ModuleNotFoundError(\"No module named 'cowbench'\", name='cowbench')\n"
        (elsewhere / "cowbench" / "__init__.py").write_text(stub)
    dask.add_worker(elsewhere)
    words = command(tmp_path / "s.db", dask.address, write_plugin(tmp_path, "small", SMALL), 3)
    done = subprocess.run([*words, "--quiet"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    wanted = "has another engine of cowbench" if kind == "other" else "cannot import cowbench; install cowbench"
    assert wanted in done.stderr
    assert len(cowbench.load(tmp_path / "s.db")) == 0


def parcel(wanted: list[Cell]) -> str:
    return parcels.pack(next(_batches(wanted, PROFILE, None)))


def at_a_worker(sent: str) -> str:
    """Do the work in a process that has nothing of this one, as a worker of another machine."""
    code = "import sys; from cowbench import parcels; print(parcels.work(sys.stdin.read()))"
    done = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_parcel_brings_the_files_of_its_plugins_along(tmp_path: Path) -> None:
    built_in_name = write_plugin(tmp_path, "mapcount", RULE)
    wanted = grid(
        specs("policy", [built_in_name]), specs("workload", [write_plugin(tmp_path, "small", SMALL)]), 3, PROFILE
    )
    sent = parcel(wanted)
    here = sweep_rows(tmp_path / "s.db", wanted)
    for name in ("mapcount", "small"):
        (tmp_path / f"{name}.py").unlink()
    outcomes = parcels.unpack(at_a_worker(sent))
    assert [wanted[0].known | {"seed": one.seed} | one.measured for one in outcomes] == here


def test_a_file_that_is_another_one_at_the_worker_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "program.jsonl"
    program.write_text("one")
    text = "from pathlib import Path\n" + SMALL.replace("    pages:", READS.format(str(program)) + "    pages:")
    sent = parcel(cells(tmp_path, ["mapcount"], text))
    assert parcels.unpack(at_a_worker(sent))
    program.write_text("two")
    with pytest.raises(ClusterError, match=r"would make other rows of small; .* same .*program\.jsonl"):
        parcels.unpack(at_a_worker(sent))


@pytest.mark.parametrize("name", ["numpy", "engine of cowbench"])
def test_all_that_must_be_the_same_is_compared(tmp_path: Path, name: str) -> None:
    sent = json.loads(parcel(cells(tmp_path, ["mapcount"])))
    sent["same"][name] = "0.1"
    with pytest.raises(ClusterError, match=f"has another {name}, .* in place of 0.1"):
        parcels.unpack(parcels.work(json.dumps(sent)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--executor", "dask://nowhere.invalid:1"], "dask://nowhere.invalid:1: no scheduler of Dask answers there"),
        (["--executor", "spark:local"], "--executor 'spark:local' is not known; give dask:local or dask://HOST:PORT"),
        (["--executor", "dask://host"], "'dask://host' is not known"),
        (["--executor", "dask://host:1", "--jobs", "2"], "--jobs says nothing to a cluster"),
        (["--executor", "dask:local", "--kernel", "host"], "--executor says nothing to a real kernel"),
        (["--executor", "dask:local", "--record", "x.jsonl"], "--executor does not go with --record"),
    ],
)
def test_a_cluster_that_cannot_be_is_one_line(
    tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    store = tmp_path / "s.db"
    done = CliRunner().invoke(cli, ["run", "-w", "short_pin", "--store", str(store), *words])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.stderr
    assert said in done.stderr
    assert not store.exists()


def test_a_missing_package_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = CliRunner().invoke(
        cli, ["study", "seed-thread", "--store", str(tmp_path / "s.db"), "--executor", "dask:local"]
    )
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "needs the Python package distributed, which is not installed; pip install 'cowbench[dask]'" in done.stderr
