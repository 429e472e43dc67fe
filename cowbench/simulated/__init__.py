"""Backend 1: the vectorised numpy page model, driven by a policy."""

from cowbench.simulated.machine import SimulatedMachine

__all__ = ["SimulatedMachine"]
