"""workloads/cow.jsonl is the recording of all cases of cow.c: `python -m tests.cow_cases` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from cowbench.conformance import CASES, run_case
from cowbench.machine import Machine, MachineConfig
from cowbench.operations import Operation, Recorder
from cowbench.program_file import write_program
from tests.workload_probe import Probe

PROGRAM = Path(__file__).parents[1] / "workloads" / "cow.jsonl"


def program() -> list[Operation]:
    """Return the operations of all cases, each in memory and then swapped out."""
    operations: list[Operation] = []
    machine = cast(Machine, Recorder(Probe(), operations.append))
    for case in CASES:
        for swapped in (False, True):
            run_case(machine, case, swapped=swapped)
    return operations


if __name__ == "__main__":
    write_program(PROGRAM, MachineConfig(), program())
