"""Trials: complete rows, the same bytes each time, and plug-ins that fail named in one line."""

import json
from pathlib import Path

import pytest

from cowbench import costs, schema, spec, trial
from cowbench.errors import ProgramError
from tests.conftest import RULE, SMALL, write_plugin

PROFILE = costs.read_profile()


def workload(tmp_path: Path, text: str = SMALL) -> spec.PluginSpec:
    return spec.parse("workload", write_plugin(tmp_path, "small", text))


def policy(tmp_path: Path, text: str = RULE) -> spec.PluginSpec:
    return spec.parse("policy", write_plugin(tmp_path, "rule", text))


def row(policy: spec.PluginSpec, workload: spec.PluginSpec, seed: int = 0, record: Path | None = None) -> schema.Row:
    return trial.run_trial(policy, workload, seed, PROFILE, record)


def test_a_row_has_every_column_and_no_other(tmp_path: Path) -> None:
    made = row(spec.parse("policy", "has_pinned:charge=child"), workload(tmp_path))
    fixed = [name for name in made if not name.startswith(("policy.", "workload."))]
    assert sorted(fixed) == sorted(schema.BY_NAME)
    names = (made["policy"], made["policy_name"], made["policy.charge"])
    assert names == ("has_pinned:charge=child", "has_pinned", "child")
    assert (made["workload"], made["workload.pages"], made["sampling"]) == ("small", 64, "sampled")
    assert (made["status"], made["error"]) == ("ok", None)


def test_counts_and_times_are_whole_numbers(tmp_path: Path) -> None:
    made = row(spec.parse("policy", "page_count"), workload(tmp_path))
    assert all(made[name] is None or type(made[name]) is int for name in schema.METRICS)


def test_the_same_seed_gives_the_same_row_and_all_policies_see_the_same_draws(tmp_path: Path) -> None:
    load = workload(tmp_path)
    first, again = (row(policy(tmp_path), load, seed=3) for _ in range(2))
    assert json.dumps(first) == json.dumps(again)
    a, b = (trial.generator(load, 3).integers(0, 1 << 60) for _ in range(2))
    assert a == b != trial.generator(load, 4).integers(0, 1 << 60)


def test_a_recorded_run_is_a_program_file(tmp_path: Path) -> None:
    row(policy(tmp_path), workload(tmp_path), record=tmp_path / "program.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "program.jsonl").read_text().splitlines()]
    assert "cowbench_program" in lines[0]
    assert [line["op"] for line in lines[1:]] == ["spawn", "write", "fork", "write", "write"]


def test_a_record_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be written"):
        row(policy(tmp_path), workload(tmp_path), record=tmp_path / "none" / "program.jsonl")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("machine.write(99, range(4))", "failed", "99"),
        ("raise ValueError('two\\nlines')", "failed", "workload small ({file}:13): ValueError: two lines"),
        ("raise MemoryError", "failed", "not enough memory"),
    ],
)
def test_a_workload_that_fails_is_named_in_one_line(tmp_path: Path, body: str, status: str, words: str) -> None:
    load = workload(tmp_path, SMALL.replace("parent = machine.spawn()", body))
    made = row(policy(tmp_path), load)
    assert made["status"] == status
    assert words.format(file=load.file) in made["error"]
    assert "\n" not in made["error"]
    assert all(made[name] is None for name in schema.METRICS)


def test_running_out_of_frames_keeps_what_was_counted(tmp_path: Path) -> None:
    text = SMALL.replace(
        "    def run", "    def machine(self):\n        return MachineConfig(frames=70)\n\n    def run"
    )
    load = workload(tmp_path, text.replace("import Machine\n", "import Machine, MachineConfig\n"))
    made = row(spec.parse("policy", "page_count"), load)
    assert made["status"] == "out_of_frames"
    assert made["frames_peak"] == 70


def test_what_a_machine_cannot_stage_is_not_applicable(tmp_path: Path) -> None:
    text = SMALL.replace("parent = machine.spawn()", "raise NotApplicable('no swap here')")
    load = workload(
        tmp_path,
        text.replace("from cowbench.machine", "from cowbench.errors import NotApplicable\nfrom cowbench.machine", 1),
    )
    assert row(policy(tmp_path), load)["status"] == "not_applicable"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("fault.refcount", "int32"),
        ("np.ones(len(fault) + 1, np.bool_)", "(16,)"),
        ("None", "None"),
        ("1 / 0", "ZeroDivisionError"),
        ("fault.refcount.fill(0)", "read-only"),
    ],
)
def test_a_policy_that_breaks_its_contract_is_named_in_one_line(tmp_path: Path, answer: str, words: str) -> None:
    rule = policy(tmp_path, RULE.replace("fault.refcount == 1", answer))
    made = row(rule, workload(tmp_path))
    assert made["status"] == "failed"
    assert "rule" in made["error"]
    assert words in made["error"]
    assert "\n" not in made["error"]
