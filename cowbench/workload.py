"""What a workload is: parameters and a script against a Machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig
from cowbench.parameters import Parametrised, Value, changed, parameter

__all__ = ["Workload", "parameter"]


class Workload(Parametrised):
    """Base of every workload. A subclass declares parameters and `run`; its name is its file's.

    exact: the script draws nothing from `rng`, so one seed says all.
    control: no policy should differ; used as a control in comparisons.
    differs: pairs or groups of policy names that this workload was made to tell apart.
    curve, points: a parameter, and values at which a run of all workloads runs this one as well, once for each entry of
    `points`; what they show is a curve along that parameter, and no more weight to this workload in any sum.
    """

    exact: ClassVar[bool] = False
    control: ClassVar[bool] = False
    differs: ClassVar[tuple[tuple[str, str], ...]] = ()
    curve: ClassVar[str] = ""
    points: ClassVar[tuple[Mapping[str, Value], ...]] = ()

    def machine(self) -> MachineConfig:
        """Return the computer to run on; override for limits, swap devices or more CPUs."""
        return MachineConfig()

    def on_curve(self) -> str:
        """Return the parameter along whose curve this is one of `points`; "" if it is none."""
        return self.curve if changed(self) in self.points else ""

    def files_read(self) -> tuple[Path, ...]:
        """Return the files that the script reads; their contents count when results are looked up again."""
        return ()

    def run(self, machine: Machine, rng: Generator) -> None:
        """Drive `machine`; the only randomness allowed is `rng`."""
        raise NotImplementedError(f"workload {self.name} has no run()")
