"""Checks of the model against a kernel, as a store keeps them: what was held against what, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

COLUMNS = "started, kernel, policy, seed, programs, operations, differences, excluded, provenance"
TABLE = """create table if not exists checks (id INTEGER primary key, started TEXT not null, kernel TEXT not null,
    policy TEXT not null, seed INTEGER not null, programs INTEGER not null, operations INTEGER not null,
    differences TEXT not null, excluded TEXT not null, provenance TEXT not null) strict"""


@dataclass(frozen=True)
class Check:
    """Random programs carried out by a kernel and by the model, and compared after every operation.

    started: ISO 8601. kernel: its release, as `uname -r` says it. policy: spec of the policy that the model followed.
    seed: of the programs. programs, operations: how many were compared. differences: each in words, with the shrunk
    program that shows it. excluded: why programs could not be compared, and how many each time. provenance: version,
    commit and machine, as `provenance.collect` gives them.
    """

    started: str
    kernel: str
    policy: str
    seed: int
    programs: int
    operations: int
    differences: tuple[str, ...] = ()
    excluded: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> tuple[str | int, ...]:
        """Return what a store writes, in the order of COLUMNS."""
        texts = (self.differences, dict(self.excluded), dict(self.provenance))
        counts = (self.seed, self.programs, self.operations)
        return (self.started, self.kernel, self.policy, *counts, *(json.dumps(text, sort_keys=True) for text in texts))

    @classmethod
    def from_values(cls, values: tuple[Any, ...]) -> Self:
        """Read what `values` returned."""
        started, kernel, policy, seed, programs, operations = values[:6]
        differences, excluded, provenance = map(json.loads, values[6:])
        return cls(started, kernel, policy, seed, programs, operations, tuple(differences), excluded, provenance)
