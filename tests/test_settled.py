"""Batches of settled write faults, where no built-in policy or small program goes."""

from __future__ import annotations

import numpy as np

from cowbench.ledger import Event
from cowbench.machine import MachineConfig
from cowbench.policy import Policy
from cowbench.simulated import SimulatedMachine
from cowbench.views import Mask, WriteFault


class Wasteful(Policy):
    """Copies every page that is written."""

    def reuse(self, fault: WriteFault) -> Mask:
        return np.zeros(len(fault), np.bool_)


def test_a_needless_copy_of_a_settled_page_is_booked_and_frees_the_old_frame() -> None:
    machine = SimulatedMachine(Wasteful(), MachineConfig(frames=100))
    process = machine.spawn()
    machine.write(process, range(30))
    machine.drain(0)
    machine.protect(process, range(30))
    told: list[Event] = []
    machine.memory.listener = told.append
    machine.write(process, range(10, 20))
    ledger = machine.ledger
    assert ledger.copies["write_fault"] == ledger.false_positives["write_fault"] == ledger.causes["policy"] == 10
    assert machine.memory.frames.used == 30
    assert ledger.frames_peak == 31, "one page at a time has two frames"
    assert [(event.kind, event.pages.tolist()) for event in told] == [
        ("copies", list(range(10, 20))),
        ("false_positive_copies", list(range(10, 20))),
    ]


def test_free_frames_are_found_wherever_they_are() -> None:
    machine = SimulatedMachine(Wasteful(), MachineConfig(frames=1000))
    process = machine.spawn()
    machine.write(process, range(1000))
    rng = np.random.default_rng(5)
    for count in (1, 7, 500, 999, 3):
        machine.discard(process, rng.choice(1000, count, replace=False))
        machine.write(process, range(1000))
        words = machine.processes[process].words[:1000]
        assert len(np.unique(words)) == 1000
        assert machine.memory.frames.free == 0
