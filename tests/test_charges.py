"""Charges of memory cgroups are conserved: a frame is charged to one group, once, for as long as it is there."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from cowbench import spec
from cowbench.costs import read_profile
from cowbench.machine import Process, Reference
from cowbench.simulated import SimulatedMachine
from cowbench.simulated.frames import Frames
from cowbench.trial import measure
from tests.simulated_state import snapshot

GRIDS = [
    (f"has_pinned:charge={payer},on_failure={failing}", workload)
    for payer in ("parent", "child")
    for failing in ("fail", "share")
    for workload in (
        "container_host:containers=12,alive=3",
        "container_host:containers=12,alive=3,runtime_spare=20",
        "container_host:containers=12,alive=3,container_limit=20",
        "failed_fork:fail_at=7",
    )
]


class Checked:
    """A machine that adds up its charges after every operation."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._machine, name)

        def checked(*args: Any, **values: Any) -> Any:
            try:
                return method(*args, **values)
            finally:
                self.add_up()

        return checked

    def add_up(self) -> None:
        state = snapshot(self._machine)
        there = Counter(frame["memcg"] for frame in state["frames"].values())
        assert there == Counter(state["charges"]), f"frames there are {there}, charged are {state['charges']}"


def charged_at_the_end(policy: str, workload: str) -> dict[int, int]:
    """Run a trial with every operation checked; return what is charged when it is over."""
    machines: list[SimulatedMachine] = []

    def follow(machine: SimulatedMachine) -> Any:
        machines.append(machine)
        return Checked(machine)

    row = measure(spec.parse("policy", policy), spec.parse("workload", workload), 0, read_profile(), follow=follow)
    assert row["status"] != "failed", row["error"]
    for number, facts in snapshot(machines[0])["processes"].items():
        if facts["alive"]:
            machines[0].exit(Process(number))
    for number in snapshot(machines[0])["references"]:
        machines[0].release(Reference(number))
    return {group: count for group, count in machines[0].memory.frames.charges.items() if count}


@pytest.mark.parametrize(("policy", "workload"), GRIDS)
def test_every_frame_is_charged_once_and_none_when_all_is_over(policy: str, workload: str) -> None:
    assert charged_at_the_end(policy, workload) == {}


@pytest.mark.parametrize("wrong", ["twice", "never given back", "given back to another group"])
def test_a_wrong_charge_is_seen(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    allocate, release = Frames.allocate, Frames.release

    def allocated(self: Frames, count: int, group: int, *rest: Any) -> Any:
        if wrong == "twice":
            self.charges[group] = self.charges.get(group, 0) + count
        return allocate(self, count, group, *rest)

    def released(self: Frames, frames: Any) -> None:
        before = dict(self.charges)
        release(self, frames)
        if wrong == "never given back":
            self.charges.update(before)
        elif wrong == "given back to another group" and self.charges != before:
            self.charges[0], self.charges[1] = self.charges[1], self.charges[0]

    monkeypatch.setattr(Frames, "allocate", allocated)
    monkeypatch.setattr(Frames, "release", released)
    with pytest.raises(AssertionError, match="frames there are"):
        charged_at_the_end(*GRIDS[0])
