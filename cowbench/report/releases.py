"""What recorded programs would have cost on kernels of several eras: rows of policies that stand for their releases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cowbench import plugins, spec
from cowbench.errors import CowbenchError
from cowbench.recording import Facts, read_facts
from cowbench.replay import Replay
from cowbench.report.results import LOSSES, Results
from cowbench.schema import Row

RELEASES: Mapping[str, tuple[str, ...]] = {
    "5.4": ("mapcount",),
    "5.10": ("has_pinned:variant=5.9", "has_pinned"),
    "5.18": ("page_count_5_18",),
    "6.12": ("anon_exclusive:kernel=6.12", "anon_exclusive"),
}
"""Release -> the policies that stand for it, best first; the others have the same rule in a neighbouring release."""

TIMES = {
    "forks": "fork_ns_mean",
    "faults": "fault_ns_total",
    "pins": "pin_ns_total",
    "exits": "exit_ns_total",
    "swap": "page_out_ns_total",
}
"""Where modelled time goes, and the column that says so; that of forks is a mean."""


@dataclass(frozen=True)
class Cost:
    """What one program costs on one release, by the row of `policy`; times in ns."""

    release: str
    policy: str
    copies: int
    needless: int
    losses: Mapping[str, int]
    times: Mapping[str, Fraction]
    frames_peak: int

    @property
    def time(self) -> Fraction:
        """All modelled time."""
        return sum(self.times.values(), Fraction())


@dataclass(frozen=True)
class Program:
    """A recorded program. workload: its spec. facts: what its recording says of it. costs: of the releases that ran."""

    workload: str
    facts: Facts
    costs: tuple[Cost, ...]

    @property
    def name(self) -> str:
        """What to call it: a workload that is this recording by its own name, else what was run, without its folder."""
        return Path(self.facts.program[0]).name if ":" in self.workload and self.facts.program else self.workload

    @property
    def full_name(self) -> str:
        """The name, with the spec of the workload if that says more."""
        return self.name if self.name == self.workload else f"{self.name} ({self.workload})"


def programs(results: Results) -> tuple[list[Program], list[str]]:
    """Return the recorded programs of a store, and workloads that replay a file which is gone or cannot be read."""
    found, gone = [], []
    for workload in results.workloads:
        rows = {row["policy"]: row for row in results.rows if row["workload"] == workload and row["status"] == "ok"}
        some = next((row for row in results.rows if row["workload"] == workload), None)
        file = None if some is None else _file(some)
        if file is None:
            continue
        if not file.is_file():
            gone.append(workload)
        elif (facts := _facts(file)) is not None:
            found.append(Program(workload, facts, _costs(rows)))
    return found, gone


def said_policy(release: str, policy: str) -> str:
    """Name the policy that stands for a release, and the release it is of if that is another."""
    if policy == RELEASES[release][0]:
        return policy
    values = spec.parse("policy", policy).build().values()
    return f"{policy} as in {values.get('kernel') or values.get('variant')}"


def _file(row: Row) -> Path | None:
    """Return the program file that a workload replays, if it is one that does."""
    try:
        cls = plugins.load("workload", row["workload_name"])
        if not issubclass(cls, Replay):
            return None
        values = {name: row[f"workload.{name}"] for name in cls().values() if row.get(f"workload.{name}") is not None}
        replay: Replay = cls.from_values(values)
        return replay.program()
    except CowbenchError:  # a plug-in of another place
        return None


def _facts(file: Path) -> Facts | None:
    try:
        return read_facts(file)
    except CowbenchError:
        return None


def _costs(rows: Mapping[str, Row]) -> tuple[Cost, ...]:
    found = []
    for release, policies in RELEASES.items():
        policy = next((policy for policy in policies if policy in rows), None)
        if policy is not None:
            found.append(_cost(release, policy, rows[policy]))
    return tuple(found)


def _cost(release: str, policy: str, row: Row) -> Cost:
    times = {name: Fraction(row[column] or 0) for name, column in TIMES.items()}
    times["forks"] *= row["forks"] or 0
    losses = {loss: int(row[loss]) for loss in LOSSES if row[loss]}
    needless = int(row["false_positive_copies"])
    return Cost(release, policy, int(row["copies"]), needless, losses, times, int(row["frames_peak"]))
