"""The numpy model with the faces that the scalar twin shows to tests."""

from __future__ import annotations

from typing import Any

from cowbench.machine import MachineConfig
from cowbench.plugins import load
from cowbench.policy import Policy
from cowbench.simulated import SimulatedMachine
from tests import simulated_state


class Modelled(SimulatedMachine):
    """A SimulatedMachine that can be looked into as a whole."""

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state (tests/simulated_state.py)."""
        self.settle()
        return simulated_state.snapshot(self)

    def observe(self) -> dict[tuple[Any, ...], int]:
        """Return what every reader would see."""
        self.settle()
        return simulated_state.observe(self)


def build(policy: str, parameters: dict[str, Any]) -> Policy:
    """Return a built-in policy."""
    return load("policy", policy).from_values(parameters)


def modelled(policy: str, parameters: dict[str, Any], config: MachineConfig) -> Modelled:
    """Return the model under a built-in policy."""
    return Modelled(build(policy, parameters), config)
