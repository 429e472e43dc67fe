"""What programs and whoever reads page tables can see of a simulated machine; nothing of its counts."""

from __future__ import annotations

import numpy as np

from cowbench.machine import Pages, Process, Reference
from cowbench.observation import ABSENT, SWAPPED, ZERO_PAGE, Numbers
from cowbench.simulated.frames import COUNT
from cowbench.simulated.machine import SimulatedMachine
from cowbench.simulated.process import ReferenceState
from cowbench.simulated.words import NUMBER, PRESENT


def live(machine: SimulatedMachine) -> list[Process]:
    """Return the processes that are alive, in the order they were made."""
    return [Process(state.handle) for state in machine.processes if state.alive]


def places(machine: SimulatedMachine, process: Process) -> Numbers:
    """Return for each page of a process its frame, or ABSENT, SWAPPED or ZERO_PAGE: int64; pages past it are absent."""
    machine.settle()
    words = machine.processes[process].words
    frames = (words & NUMBER).astype(np.int64)
    frames[frames == 0] = ZERO_PAGE
    frames[(words & PRESENT) == 0] = SWAPPED
    frames[words == 0] = ABSENT
    return frames


def mappings(machine: SimulatedMachine, frames: Numbers) -> Numbers:
    """Return how many page tables map each frame (> 0), as /proc/kpagecount tells."""
    return (machine.memory.frames.map[frames] & COUNT).astype(np.int64)


def page_tokens(machine: SimulatedMachine, process: Process, pages: Pages) -> Numbers:
    """Return what a process reads in pages that are all present: int64 tokens, 0 for the zero page."""
    machine.settle()
    numbers = np.arange(pages.start, pages.stop) if isinstance(pages, range) else pages
    return _tokens(machine, (machine.processes[process].words[numbers] & NUMBER).astype(np.intp))


def device_tokens(machine: SimulatedMachine, reference: Reference) -> Numbers:
    """Return what a device reads through a live reference, one token an element; empty if it was never taken."""
    machine.settle()
    state = machine.references[reference]
    if not isinstance(state, ReferenceState):
        return np.zeros(0, np.int64)
    return _tokens(machine, state.frames)


def _tokens(machine: SimulatedMachine, frames: np.ndarray) -> Numbers:
    return np.where(frames == 0, 0, machine.memory.frames.token[frames]).astype(np.int64)
