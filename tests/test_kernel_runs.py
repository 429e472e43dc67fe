"""Workloads on a kernel: rows of what can be seen, in the same store as the model's."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from cowbench import grid, plugins, schema, spec, sweep
from cowbench.abilities import ABILITIES, Ability
from cowbench.cli import cli
from cowbench.costs import read_profile
from cowbench.expected import expect
from cowbench.frame import load
from cowbench.linux import opening, running, trials
from cowbench.linux.applicable import not_applicable
from cowbench.linux.connection import Program
from cowbench.linux.machine import Script
from cowbench.machine import MachineConfig, Process
from cowbench.observation import Observation, Step
from cowbench.operations import Fork, Move, Operation, Spawn
from cowbench.report.model import Table, cell
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.schema import Row
from cowbench.spec import PluginSpec
from cowbench.store import Store
from cowbench.trial import run_trial
from tests.modelled import build

SEEN = (
    "copies",
    "copies_write_fault",
    "copies_fork",
    "copies_pin",
    "false_positive_copies",
    "false_positive_copies_fork",
    "leaks",
    "lost_pins",
    "lost_gets",
    "missed_early_copies",
    "forks",
    "forks_ptes",
    "forks_early_copies",
)
UNSEEN = (
    "reuses",
    "false_positive_cause_policy",
    "charged_parent",
    "frames_peak",
    "fault_ns_total",
    "forks_lock_drops",
)

needs_host = pytest.mark.skipif(
    not os.environ.get("CI") and (os.geteuid() != 0 or shutil.which("cc") is None),
    reason="the host's kernel needs root and a C compiler",
)


class Model:
    """A kernel that follows a policy, and takes 1,000 ns for its first fork, 2,000 for the next, ..."""

    name, release, frames, emulated = "model", "9.9", True, False

    def __init__(self, policy: str = "anon_exclusive", cannot: str = "") -> None:
        self.policy, self.cannot, self.programs = policy, cannot, 0

    def abilities(self) -> dict[Ability, str]:
        return {}

    def observe_many(self, programs: Iterable[Program]) -> Iterator[Observation]:
        return (self.observe(operations, config) for config, operations in programs)

    def close(self) -> None:
        pass

    def observe(self, operations: Sequence[Operation], config: MachineConfig | None = None) -> Observation:
        config = config or MachineConfig()
        self.programs += 1
        if self.cannot:
            return Observation((), self.cannot)
        steps, forks = [], 0
        for operation, step in zip(operations, expect(build(self.policy, {}), config, operations).steps, strict=True):
            forks += isinstance(operation, Fork)
            ns = 1000 * forks if isinstance(operation, Fork) else 7
            steps.append(Step(step.process, step.page, step.frame, step.tokens, step.failed, ns))
        return Observation(tuple(steps))


def workload(text: str) -> PluginSpec:
    return spec.parse("workload", text)


def row(kernel: Model, text: str, seed: int = 0) -> Row:
    load = workload(text)
    return trials.identity(kernel.release, load, seed) | trials.measure(kernel, load, seed)


@pytest.mark.parametrize("policy", ["anon_exclusive", "has_pinned", "mapcount", "page_count"])
@pytest.mark.parametrize("load", ["all_pinned:pages=64", "pinned_once", "direct_io_race", "prefork_web"])
def test_a_row_of_a_kernel_says_what_the_models_row_says_as_far_as_it_can_be_seen(policy: str, load: str) -> None:
    seen = row(Model(policy), load)
    booked = run_trial(spec.parse("policy", policy), workload(load), 0, read_profile())
    assert seen["status"] == "ok", seen["error"]
    assert {name: seen[name] for name in SEEN} == {name: booked[name] for name in SEEN}
    assert {seen[name] for name in UNSEEN} == {None}
    assert set(schema.BY_NAME) <= set(seen)
    assert (seen["policy"], seen["profile"], seen["sees_truth"]) == ("kernel:9.9", "measured", 0)


def test_fork_times_are_the_measured_ones() -> None:
    seen = row(Model(), "prefork_web")
    forks = seen["forks"]
    assert seen["fork_ns_max"] == seen["fork_ns_p99"] == 1000 * forks
    assert seen["fork_ns_mean"] == 1000 * (forks + 1) // 2
    assert seen["fork_ns_p50"] == 1000 * ((forks + 1) // 2)


def test_times_of_an_emulator_stay_empty() -> None:
    kernel = Model()
    kernel.emulated = True
    seen = row(kernel, "prefork_web")
    assert seen["copies"]
    assert [seen[f"fork_ns_{name}"] for name in ("mean", "p50", "p99", "max")] == [None] * 4


def test_a_program_that_a_kernel_cannot_stage_is_not_applicable_with_the_reason() -> None:
    seen = row(Model(cannot="no swap device"), "swap_pressure")
    assert (seen["status"], seen["error"]) == ("not_applicable", "no swap device")
    assert all(seen[name] is None for name in schema.METRICS)


def test_programs_with_swap_keep_their_fork_times_and_say_why_they_count_nothing() -> None:
    seen = row(Model(), "snapshot_under_swap:pages=256")
    assert (seen["status"], seen["error"]) == ("ok", "not counted: pages were put out to swap")
    assert seen["copies"] is None
    assert seen["fork_ns_mean"]


def test_a_workload_that_fails_is_named_and_the_others_run(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text(
        '"""broken: fails."""\nfrom cowbench.workload import Workload\n\n\n'
        "class Broken(Workload):\n    def run(self, machine, rng):\n        1 / 0\n"
    )
    seen = row(Model(), str(file))
    assert seen["status"] == "failed"
    assert "workload broken" in seen["error"]


def test_only_what_the_store_lacks_is_run_and_it_stands_beside_the_model(tmp_path: Path) -> None:
    kernel, loads = Model(), [workload("all_pinned:pages=64"), workload("pinned_once")]
    cells = running.grid("9.9", "build 1", loads, 2)
    with Store(tmp_path / "s.db") as store:
        first = running.run(kernel, cells, store)
        again = running.run(kernel, cells, store)
        assert (first.done, first.cached) == (len(cells), 0)
        assert (again.done, again.cached) == (0, len(cells))
        assert kernel.programs == len(cells)
        rows = store.rows()
        assert {one["policy"] for one in rows} == {"kernel:9.9"}
        assert sweep.failures(store, cells) == []
        assert store.runs()[0]["kernel"] == "9.9"


def test_another_build_of_the_same_release_is_another_kernel() -> None:
    one, other = (running.grid("9.9", build, [workload("pinned_once")], 1)[0].key for build in ("a", "b"))
    assert one != other


def test_a_script_hands_out_the_handles_that_a_machine_would() -> None:
    script = Script()
    machine = script.machine
    first = machine.spawn()
    child = machine.fork(first)
    pin, get = machine.pin(first, range(2)), machine.get(child, range(1))
    machine.write(first, range(4))
    assert (first, child, pin, get, machine.spawn()) == (0, 1, 0, 1, 2)
    assert [operation.op for operation in script.operations] == ["spawn", "fork", "pin", "get", "write", "spawn"]


@needs_host
def test_this_hosts_rows_stand_beside_the_models_in_show_export_and_report(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "s.db")]
    loads = ["--workload", "all_pinned:pages=64,pipe_attacker", "--seeds", "1", "--quiet"]
    ran = CliRunner().invoke(cli, ["run", "--kernel", "host", *loads, *store])
    assert ran.exit_code == 0, ran.output
    assert CliRunner().invoke(cli, ["run", "--policy", "anon_exclusive", *loads, *store]).exit_code == 0
    kernel = f"kernel:{os.uname().release}"
    shown = CliRunner().invoke(cli, ["show", *store]).output
    assert shown.splitlines()[:2] == [f"workload\tanon_exclusive\t{kernel}", "all_pinned:pages=64\t64\t64"]
    assert "pipe_attacker\t" in shown
    unseen = CliRunner().invoke(cli, ["show", "--metric", "reuses", *store]).output
    assert unseen.splitlines()[1].endswith("\t-")
    with Store(tmp_path / "s.db", read_only=True) as rows:
        measured, cannot = (row for row in rows.rows() if row["policy"] == kernel)
    assert (measured["profile"], measured["frames_peak"]) == ("measured", None)
    assert measured["fork_ns_mean"] > 0
    assert "swap" in cannot["error"]
    assert load(tmp_path / "s.db")["frames_peak"].isna().sum() == 2
    assert CliRunner().invoke(cli, ["export", "--csv", "-", *store]).exit_code == 0
    output = ["--output", str(tmp_path / "report")]
    assert CliRunner().invoke(cli, ["report", *store, *output]).exit_code == 0
    assert kernel in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--kernel", "host", "--policy", "mapcount"], "--policy says nothing to a real kernel; leave it out"),
        (["--kernel", "host", "--record", "x"], "--record says nothing to a real kernel"),
        (["--kernel", "nothing"], "nothing: no such file; a kernel is host, the path of a bzImage"),
    ],
)
def test_what_cannot_be_run_on_a_kernel_is_one_line(tmp_path: Path, words: list[str], says: str) -> None:
    ran = CliRunner().invoke(cli, ["run", *words, "--store", str(tmp_path / "s.db")])
    assert ran.exit_code == 2
    assert says in ran.output
    assert "Traceback" not in ran.output


def test_the_report_says_what_was_not_seen_of_a_kernel(tmp_path: Path) -> None:
    loads = [workload("all_pinned:pages=64"), workload("swap_pressure")]
    with Store(tmp_path / "s.db") as store:
        running.run(Model(), running.grid("9.9", "", loads[1:], 1), store)
        modelled = grid.grid([spec.parse("policy", "mapcount")], loads, 1, read_profile())
        sweep.sweep(modelled, store, read_profile())
        verdicts = next(block for block in _outcomes().build(Results.of(store)) if isinstance(block, Table))
        assert [cell(word).text for word in verdicts.rows[-1][:3]] == ["kernel:9.9", "not seen", "not seen"]
        running.run(Model(), running.grid("9.9", "", loads[:1], 1), store)
        verdicts = next(block for block in _outcomes().build(Results.of(store)) if isinstance(block, Table))
        assert [cell(word).text for word in verdicts.rows[-1][:3]] == ["kernel:9.9", "leaks and loses nothing", "0"]
        assert len(verdicts.rows) == 2


def _outcomes() -> Section:
    section: Section = plugins.load("section", "outcomes")()
    return section


def test_without_the_right_to_see_frames_nothing_is_run_or_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blind = Model()
    blind.frames = False
    monkeypatch.setattr(opening, "open_kernel", lambda text: blind)
    ran = CliRunner().invoke(cli, ["run", "--kernel", "host", "--store", str(tmp_path / "s.db")])
    assert ran.exit_code == 2
    assert "only root may see which frames a process maps; run as root" in ran.output
    assert blind.programs == 0
    assert not (tmp_path / "s.db").exists()


def test_a_run_on_a_kernel_can_be_interrupted_and_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel, observe = Model(), Model.observe
    monkeypatch.setattr(opening, "open_kernel", lambda text: kernel)

    def interrupted(self: Model, operations: Sequence[Operation], config: MachineConfig | None = None) -> Observation:
        if self.programs == 1:
            raise KeyboardInterrupt
        return observe(self, operations, config)

    words = ["run", "--kernel", "host", "--workload", "pinned_once", "--seeds", "3", "--store", str(tmp_path / "s.db")]
    with monkeypatch.context() as patch:
        patch.setattr(Model, "observe", interrupted)
        stopped = CliRunner().invoke(cli, words)
        assert stopped.exit_code == 130
        assert "run again to go on" in stopped.output
    again = CliRunner().invoke(cli, words)
    assert "3 cells in" in again.output
    assert "2 run now, 1 there before" in again.output


def test_a_program_for_a_cpu_that_is_not_there_is_not_run_on_another() -> None:
    able, config = dict.fromkeys(ABILITIES, ""), MachineConfig(cpus=4)
    assert not_applicable([Spawn(cpu=1)], config, able, None, 2) == ""
    assert not_applicable([Spawn(), Move(Process(0), 2)], config, able, None, 2) == (
        "move needs 3 CPUs, the agent may run on 2"
    )
