"""Workloads that are a program file, replayed as it stands."""

from __future__ import annotations

from pathlib import Path

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig
from cowbench.program_file import read_header, replay_file
from cowbench.workload import Workload


class Replay(Workload):
    """Base of every workload that replays a file: a subclass says which."""

    exact = True

    def program(self) -> Path:
        """Return the path of the program file."""
        raise NotImplementedError(f"workload {self.name} names no program()")

    def machine(self) -> MachineConfig:
        return read_header(self.program())

    def files_read(self) -> tuple[Path, ...]:
        return (self.program(),)

    def run(self, machine: Machine, rng: Generator) -> None:
        replay_file(self.program(), machine)
