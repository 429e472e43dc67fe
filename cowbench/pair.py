"""Two simulated machines on one program, each with a policy of its own, that can be frozen and gone on with."""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import Any

from cowbench.compare import Comparison
from cowbench.expected import Watched
from cowbench.machine import MachineConfig
from cowbench.operations import Operation
from cowbench.policy import Policy
from cowbench.simulated.fingerprint import fingerprint

PROCESSES, PAGES = 16, 64
"""Most that a program may make and name."""


class Pair:
    """`differs`: what can be seen of the two machines was not the same after some operation."""

    def __init__(self, policies: tuple[Policy, Policy], config: MachineConfig) -> None:
        self._policies = policies
        self._machines = tuple(Watched(policy, config) for policy in policies)
        self._comparison = Comparison(PROCESSES, PAGES)
        self.differs = False

    def apply(self, operation: Operation) -> None:
        """Carry an operation out on both."""
        first, second = (machine.apply(operation) for machine in self._machines)
        self.differs |= self._comparison.apply(operation, first, second) is not None

    def state(self) -> bytes:
        """Return a digest of all that the further behaviour of both depends on."""
        return b"".join(fingerprint(machine.machine) for machine in self._machines)

    def freeze(self) -> Frozen:
        """Return a copy to go on with, as often as one likes."""
        stream = io.BytesIO()
        _Pickler(stream, self._policies).dump(self)
        return Frozen(stream.getvalue(), self._policies)


@dataclass(frozen=True)
class Frozen:
    """A pair at some point of its program."""

    data: bytes
    policies: tuple[Policy, Policy]

    def thaw(self) -> Pair:
        """Return a pair that goes on from here."""
        pair: Pair = _Unpickler(io.BytesIO(self.data), self.policies).load()
        return pair


class _Pickler(pickle.Pickler):
    """Leaves policies out: classes of plug-in files cannot be imported by name."""

    def __init__(self, stream: io.BytesIO, policies: tuple[Policy, Policy]) -> None:
        super().__init__(stream, pickle.HIGHEST_PROTOCOL)
        self._policies = policies

    def persistent_id(self, value: Any) -> int | None:
        return next((i for i, policy in enumerate(self._policies) if value is policy), None)


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, policies: tuple[Policy, Policy]) -> None:
        super().__init__(stream)
        self._policies = policies

    def persistent_load(self, number: int) -> Policy:
        return self._policies[number]
