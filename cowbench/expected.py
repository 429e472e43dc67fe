"""The Observation of a program on the model: what a kernel that followed a policy would show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cowbench.errors import OutOfFrames
from cowbench.machine import MachineConfig, Process
from cowbench.observation import ABSENT, Numbers, Observation, Step
from cowbench.operations import DeviceRead, Exec, Exit, Fork, Operation, Read
from cowbench.policy import Policy
from cowbench.simulated import SimulatedMachine
from cowbench.simulated.seen import device_tokens, live, page_tokens, places

NOTHING: Numbers = np.zeros(0, np.int64)


def expect(policy: Policy, config: MachineConfig, operations: Iterable[Operation]) -> Observation:
    """Return what is seen of a program when `policy` decides. Raises ProgramError for an impossible program.

    A shortage of frames is no error: the step says "out of frames", a fork that failed "fork failed".
    """
    watched = Watched(policy, config)
    return Observation(tuple(watched.apply(operation) for operation in operations))


class Watched:
    """A simulated machine of which every operation tells its Step."""

    def __init__(self, policy: Policy, config: MachineConfig) -> None:
        self.machine = SimulatedMachine(policy, config)
        self._places: dict[Process, Numbers] = {}

    def apply(self, operation: Operation) -> Step:
        """Carry an operation out and return what is seen of it. Raises ProgramError if it is impossible."""
        failed, done = "", None
        try:
            operation.apply(self.machine)
        except OutOfFrames as error:
            failed, done = "out of frames", error.done
        if isinstance(operation, Fork) and not failed and not self.machine.processes[-1].alive:
            failed = "fork failed"
        return Step(*self._changes(operation), self._tokens(operation, done), failed)

    def _tokens(self, operation: Operation, done: int | None) -> Numbers:
        if isinstance(operation, Read) and self.machine.processes[operation.process].alive:
            return page_tokens(self.machine, operation.process, operation.pages[:done])
        if isinstance(operation, DeviceRead):
            return device_tokens(self.machine, operation.reference)
        return NOTHING

    def _changes(self, operation: Operation) -> tuple[Numbers, Numbers, Numbers]:
        """Return process, page and frame of the pages whose place changed, and remember the places."""
        before, self._places = self._places, {}
        if isinstance(operation, Exec | Exit):
            before.pop(operation.process, None)
        found = []
        for process in live(self.machine):
            now = self._places[process] = places(self.machine, process)
            then = before.get(process, NOTHING)
            changed = now != (then if len(then) == len(now) else _padded(then, len(now)))
            if changed.any():
                pages = np.flatnonzero(changed)
                found.append((np.full(len(pages), process, np.int64), pages.astype(np.int64), now[pages]))
        if not found:
            return NOTHING, NOTHING, NOTHING
        process_, page, frame = (np.concatenate(column) for column in zip(*found, strict=True))
        return process_, page, frame


def _padded(places: Numbers, size: int) -> Numbers:
    return np.concatenate((places, np.full(size - len(places), ABSENT, np.int64)))
