"""Two accounts of the truth: what the ledger booked when policies decided, and what readers saw beside the ideal.

Every divergence that a reader sees maps to an event in the ledger, and every event shows to some reader, at the
latest once a probe is appended in which everybody writes and reads everything.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cowbench.generator import random_program
from cowbench.ledger import Ledger
from cowbench.machine import Process, Reference
from cowbench.operations import DeviceWrite, Discard, Exec, Exit, Operation, Release, Write
from cowbench.outcomes import Divergence, Reader, Witness
from tests.fuzzing import CHOICES, draw_parameters
from tests.modelled import Modelled, modelled
from tests.simulated_state import observe

PROGRAMS = 40
HIDES = (Release, Exit, Exec, Discard)
"""After these a lost reference may never show: it is gone, or its owner's page is."""


def lost(ledger: Ledger) -> int:
    return ledger.lost_pins + ledger.lost_gets + ledger.lost_pins_documented


def probe(machine: Modelled) -> list[Operation]:
    """Everybody writes all it has; then every device writes through every write reference."""
    writes: list[Operation] = [
        Write(Process(state.handle), np.flatnonzero(state.words)) for state in machine.processes if len(state.words)
    ]
    devices: list[Operation] = [
        DeviceWrite(Reference(handle))
        for handle, reference in enumerate(machine.references)
        if reference and reference.write
    ]
    return writes + devices


class Account:
    """A witness that holds each step's divergences against what the ledger booked in that step."""

    def __init__(self, policy: str, seed: int) -> None:
        rng = np.random.default_rng([seed, *policy.encode()])
        self.parameters = draw_parameters(policy, rng)
        config, self.program = random_program(rng, pages=20)
        config = replace(config, frames=4096, memcg_limits={})  # the oracle of the ideal knows no shortage
        self.machine = modelled(policy, self.parameters, config)
        self.witness = Witness(self.machine, observe)
        self.cut: set[Reader] = set()

    def step(self, operation: Operation) -> None:
        """Carry one operation out and check both directions for what shows at once: leaks and torn snapshots."""
        leaks, torn = self.machine.ledger.leaks, self.machine.ledger.torn_snapshots
        known = len(self.witness.ideal.writers)
        found = self.witness.apply(operation)
        self.cut |= {d.reader for d in found if d.parted and d.reader[0] == "reference"}
        leaked = [d for d in found if d.reader[0] != "torn" and (not d.parted or self._written_by_another(d, known))]
        assert bool(leaked) == (self.machine.ledger.leaks > leaks), (operation, found)
        assert sum(d.reader[0] == "torn" for d in found) == self.machine.ledger.torn_snapshots - torn

    def _written_by_another(self, divergence: Divergence, known: int) -> bool:
        """Return whether a reference that was cut off shows what another process wrote in this step."""
        kind, handle, _ = divergence.reader
        reference = self.witness.ideal.references[handle] if kind == "reference" else None
        writers = self.witness.ideal.writers
        return reference is not None and divergence.seen >= known and writers[divergence.seen] != reference.owner


@pytest.mark.parametrize("policy", CHOICES)
def test_the_accounts_agree(policy: str) -> None:
    for seed in range(PROGRAMS):
        account = Account(policy, seed)
        for operation in account.program:
            account.step(operation)
            assert len(account.cut) <= lost(account.machine.ledger)
        for operation in probe(account.machine):
            account.step(operation)


@pytest.mark.parametrize("policy", ["mapcount", "page_count", "has_pinned", "longterm_only", "anon_exclusive"])
def test_every_lost_reference_shows_once_probed(policy: str) -> None:
    losses = 0
    for seed in range(4 * PROGRAMS):
        account = Account(policy, seed)
        for operation in account.program:
            if isinstance(operation, HIDES) and lost(account.machine.ledger):
                break
            account.step(operation)
        for operation in probe(account.machine):
            account.step(operation)
        assert len(account.cut) == lost(account.machine.ledger)
        losses += len(account.cut)
    assert losses > 10
