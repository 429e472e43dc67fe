"""What a workload is: parameters and a script against a Machine."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig
from cowbench.parameters import Parametrised, parameter

__all__ = ["Workload", "parameter"]


class Workload(Parametrised):
    """Base of every workload. A subclass declares parameters and `run`; its name is its file's.

    exact: the script draws nothing from `rng`, so one seed says all.
    control: no policy should differ; used as a control in comparisons.
    differs: pairs or groups of policy names that this workload was made to tell apart.
    """

    exact: ClassVar[bool] = False
    control: ClassVar[bool] = False
    differs: ClassVar[tuple[tuple[str, str], ...]] = ()

    def machine(self) -> MachineConfig:
        """Return the computer to run on; override for limits, swap devices or more CPUs."""
        return MachineConfig()

    def files_read(self) -> tuple[Path, ...]:
        """Return the files that the script reads; their contents count when results are looked up again."""
        return ()

    def run(self, machine: Machine, rng: Generator) -> None:
        """Drive `machine`; the only randomness allowed is `rng`."""
        raise NotImplementedError(f"workload {self.name} has no run()")
