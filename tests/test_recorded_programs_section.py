"""The section that says what recorded programs would have cost on kernels of four eras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cowbench import costs, plugins, spec, trial
from cowbench.machine import MachineConfig, Process, Reference
from cowbench.operations import DeviceWrite, Exec, Exit, Fork, Operation, Pin, Spawn, Write
from cowbench.program_file import write_program
from cowbench.recording import End, Note, RecordingWriter
from cowbench.report.model import Block, Bullets, Figure, Paragraph, Table, cell, plain
from cowbench.report.releases import RELEASES, programs
from cowbench.report.results import Results
from cowbench.schema import Row
from tests.conftest import make_row
from tests.made_recording import FACTS

P0 = Process(0)
PINNING = (
    Spawn(),
    Write(P0, range(512)),
    Pin(P0, range(100), longterm=True),
    Fork(P0),
    Write(P0, range(200)),
    Exec(Process(1)),
    DeviceWrite(Reference(0)),
)
SAVING = (Spawn(), Write(P0, range(512)), Fork(P0), Write(P0, range(200)), Exit(Process(1)))
FOUR = ("mapcount", "has_pinned", "page_count_5_18", "anon_exclusive")


def record(path: Path, operations: Sequence[Operation]) -> Path:
    writer = RecordingWriter(path, MachineConfig(), FACTS)
    lines: Iterator[Operation | Note] = iter([*operations, End(10, "all processes ended", 0)])
    for line in lines:
        if isinstance(line, Note):
            writer.note(line)
        else:
            writer.operation(line)
    writer.close()
    return path


def replayed(path: Path, policies: Sequence[str] = FOUR) -> list[Row]:
    load, prices = spec.parse("workload", f"trace:file={path}"), costs.read_profile()
    return [trial.run_trial(spec.parse("policy", policy), load, 0, prices) for policy in policies]


def built(rows: Sequence[Row]) -> list[Block]:
    return list(plugins.load("section", "recorded_programs")().build(Results(rows, [])))


def said(blocks: Sequence[Block]) -> list[str]:
    texts = [plain(block.text) for block in blocks if isinstance(block, Paragraph)]
    return texts + [plain(item) for block in blocks if isinstance(block, Bullets) for item in block.items]


def test_what_differs_between_eras_is_said_of_each(tmp_path: Path) -> None:
    path = record(tmp_path / "pinning.jsonl", PINNING)
    rows = replayed(path)
    # 5.4 copies what the parent writes while the child shares it, pinned or not; later ones copy pinned pages at fork.
    assert [row["copies"] for row in rows] == [200, 200, 200, 200]
    assert [row["lost_pins"] for row in rows] == [100, 0, 0, 0]
    blocks = built(rows)
    (sentence,) = (text for text in said(blocks) if text.startswith("redis-server"))
    assert "200 copies (0.8 MiB) on each of 5.4, 5.10, 5.18 and 6.12" in sentence
    assert sentence.endswith("5.4 loses pins (100).")
    (table,) = (block for block in blocks if isinstance(block, Table))
    assert [plain(cell(row[1]).text) for row in table.rows] == ["5.4", "5.10", "5.18", "6.12"]
    assert [cell(row[6]).value for row in table.rows] == [100, 0, 0, 0]
    (figure,) = (block for block in blocks if isinstance(block, Figure))
    hints = {mark.hint for mark in figure.marks.values()}
    assert "5.4: 200 copies, needed" in hints
    assert "5.10, 5.18 and 6.12: 200 copies, needed" in hints  # they share a bar: forks take as long on each


def test_what_is_alike_is_said_once(tmp_path: Path) -> None:
    blocks = built(replayed(record(tmp_path / "saving.jsonl", SAVING)))
    (sentence,) = (text for text in said(blocks) if text.startswith("redis-server"))
    assert "200 copies (0.8 MiB) on each of 5.4, 5.10, 5.18 and 6.12; " in sentence
    assert sentence.endswith("in the kernel for its memory; nothing leaks or is lost.")
    (figure,) = (block for block in blocks if isinstance(block, Figure))
    copies = [mark.hint for mark in figure.marks.values() if "copies" in mark.hint]
    assert copies == ["5.4, 5.10, 5.18 and 6.12: 200 copies, needed"]


def test_times_add_up_to_the_row(tmp_path: Path) -> None:
    (row,) = rows = replayed(record(tmp_path / "saving.jsonl", (*SAVING, *SAVING[2:4])), ["mapcount"])
    ((program,), gone) = programs(Results(rows, []))
    (cost,) = program.costs
    columns = ("fault_ns_total", "pin_ns_total", "exit_ns_total", "page_out_ns_total")
    assert cost.times["forks"] == 2 * row["fork_ns_mean"] > 0
    assert cost.time == cost.times["forks"] + sum(row[column] or 0 for column in columns)
    assert gone == []


def test_the_policy_of_the_very_release_is_preferred(tmp_path: Path) -> None:
    path = record(tmp_path / "saving.jsonl", SAVING)
    rows = replayed(path, ["anon_exclusive", "anon_exclusive:kernel=6.12", "has_pinned", "has_pinned:variant=5.9"])
    ((program,), _) = programs(Results(rows, []))
    assert [(cost.release, cost.policy) for cost in program.costs] == [
        ("5.10", "has_pinned:variant=5.9"),
        ("6.12", "anon_exclusive:kernel=6.12"),
    ]
    (note,) = (text for text in said(built(rows)) if "was not replayed under the rules of" in text)
    assert note.startswith("redis-server was not replayed under the rules of 5.4 and 5.18; ")
    assert f"cowbench run -w trace:file={path} -p mapcount,page_count_5_18" in note


def test_a_neighbouring_release_is_named(tmp_path: Path) -> None:
    blocks = built(replayed(record(tmp_path / "saving.jsonl", SAVING)))
    (note,) = (text for text in said(blocks) if text.startswith("Each release is"))
    assert (
        "5.4: mapcount, 5.10: has_pinned as in 5.17, 5.18: page_count_5_18 and 6.12: anon_exclusive as in 6.19" in note
    )


def test_a_workload_that_is_a_recording_goes_by_its_own_name() -> None:
    load, prices = spec.parse("workload", "postgres_backends"), costs.read_profile()
    blocks = built([trial.run_trial(spec.parse("policy", "mapcount"), load, 0, prices)])
    assert [text for text in said(blocks) if text.startswith("postgres_backends: ")]


@pytest.mark.parametrize("policies", RELEASES.values())
def test_every_release_has_policies_that_are_there(policies: Sequence[str]) -> None:
    assert [spec.parse("policy", text).text for text in policies] == list(policies)


def test_only_recordings_of_real_programs_count(tmp_path: Path) -> None:
    write_program(tmp_path / "program.jsonl", MachineConfig(), SAVING)
    others = [make_row("mapcount", "elsewhere", 0), make_row("mapcount", "trace", 0)]
    rows = [*replayed(tmp_path / "program.jsonl"), *others]
    assert said(built(rows))[0].startswith("No recorded program was replayed here.")
    assert said(built([]))[0].startswith("No recorded program was replayed here.")


def test_a_recording_that_is_gone_is_named(tmp_path: Path) -> None:
    path = record(tmp_path / "saving.jsonl", SAVING)
    rows = replayed(path)
    path.unlink()
    assert said(built(rows)) == [f"The file of trace:file={path} is no longer there, so what it recorded is not known."]


def test_a_replay_that_failed_costs_nothing(tmp_path: Path) -> None:
    rows = replayed(record(tmp_path / "bad.jsonl", (Spawn(), Exit(Process(4)))))
    assert {row["status"] for row in rows} == {"failed"}
    assert [text for text in said(built(rows)) if "was not replayed under" in text]
    assert not [block for block in built(rows) if isinstance(block, Table | Figure)]
