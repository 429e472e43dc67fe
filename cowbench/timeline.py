"""The time line of one trial: what each operation copied, leaked or lost, on which pages.

The trial is run again with somebody listening to the bookings behind its row, so the steps add up to the row, count
by count; a surprising number can be followed to the page and the operation that caused it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import numpy.typing as npt

from cowbench import costs, trial
from cowbench.costs import CostProfile
from cowbench.ledger import KINDS, Event, EventKind
from cowbench.machine import Machine, Pages
from cowbench.operations import (
    DeviceRead,
    DeviceWrite,
    Exec,
    Exit,
    Fork,
    Get,
    Operation,
    Pin,
    Recorder,
    Release,
    Spawn,
    encode_pages,
)
from cowbench.schema import CAUSE_WORDS, SITE_WORDS, Row
from cowbench.simulated import SimulatedMachine
from cowbench.simulated.process import ReferenceState
from cowbench.spec import PluginSpec
from cowbench.words import say, say_meanwhile

WRONG: tuple[EventKind, ...] = ("leaks", "lost_pins", "lost_gets", "torn_snapshots")
"""What no policy may do."""
TOLD: tuple[EventKind, ...] = tuple(kind for kind in KINDS if kind != "reuses")
"""What makes an operation worth a line of its own."""

_THREADS = 2
"""Operations of other threads during a fork that are told of one by one."""


@dataclass(frozen=True)
class Step:
    """One operation and all that was booked while it ran.

    number: as the machine counts, from 1; what landed during a fork has the numbers after that of the fork.
    pages: those it names or, through a reference, reaches; None if it is about a whole process. hands_out: the
    process or reference that began with it. fork_ns: modelled time of a fork; None for anything else.
    failed: a fork that failed.
    """

    number: int
    operation: Operation
    pages: Pages | None
    hands_out: str
    events: tuple[Event, ...]
    fork_ns: int | None
    failed: bool

    @property
    def words(self) -> str:
        """The operation in words, with what other threads do meanwhile."""
        during = self.operation.during if isinstance(self.operation, Fork) else ()
        meanwhile = [f"at page {entry.at} {say_meanwhile(entry)}" for entry in during[:_THREADS]]
        if len(during) > _THREADS:
            meanwhile.append(f"{len(during) - _THREADS} more such operations land")
        landing = f" (meanwhile {', '.join(meanwhile)})" if meanwhile else ""
        return f"{say(self.operation)}{', and fails' if self.failed else ''}{landing}"

    @property
    def handle(self) -> str:
        """What words about it end with if it handed out a handle."""
        return f": {self.hands_out}" if self.hands_out and not self.failed else ""

    def reaches(self, page: int) -> bool:
        """Return whether the operation is about this page number in particular."""
        named = self.pages is not None and page in self.pages
        return named or any(page in event.pages for event in self.events)

    def count(self, kind: EventKind) -> int:
        """Return how many were booked of a kind."""
        return sum(len(event.pages) for event in self.events if event.kind == kind)

    @property
    def quiet(self) -> bool:
        """Whether nothing happened that a row counts against a policy."""
        return not any(event.kind in TOLD for event in self.events)

    def about(self, page: int) -> Step | None:
        """Return the step with what concerns a page number, in any process; None if nothing does."""
        parts = [(event, event.pages[event.pages == page]) for event in self.events]
        events = tuple(replace(event, pages=pages) for event, pages in parts if len(pages))
        return replace(self, events=events) if self.pages is None or self.reaches(page) else None


@dataclass(frozen=True)
class Timeline:
    """A trial followed to its end: its row (but for the names), and its steps in order."""

    row: Row
    steps: tuple[Step, ...]

    def count(self, kind: EventKind) -> int:
        """Return how many were booked of a kind in the whole trial."""
        return sum(step.count(kind) for step in self.steps)

    def causes(self) -> dict[str, int]:
        """Return the needless copies by cause, those that occur."""
        found: dict[str, int] = {}
        for step in self.steps:
            for event in step.events:
                if event.kind == "false_positive_copies":
                    found[event.cause] = found.get(event.cause, 0) + len(event.pages)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def follow(policy: PluginSpec, workload: PluginSpec, seed: int, profile: CostProfile) -> Timeline:
    """Run one trial and return its time line; one that fails has the steps up to its failure, and says why in its row.

    Raises PluginError if a file changed since its spec was made.
    """
    follower = _Follower(profile)
    row = trial.measure(policy, workload, seed, profile, follow=follower.attach)
    follower.close()
    return Timeline(row, tuple(follower.steps))


@dataclass
class _Follower:
    """Listens to a machine and cuts what it books into steps."""

    profile: CostProfile
    steps: list[Step] = field(default_factory=list)
    _events: list[Event] = field(default_factory=list)
    _machine: SimulatedMachine | None = None
    _open: Step | None = None
    _forks: int = 0

    def attach(self, machine: SimulatedMachine) -> Machine:
        self._machine = machine
        machine.memory.listener = self._events.append
        return cast(Machine, Recorder(machine, self._begin))

    def _begin(self, operation: Operation) -> None:
        self.close()
        machine = self._machine
        assert machine is not None
        self._forks = len(machine.ledger.forks)
        kept = _own_pages(operation)
        self._open = Step(
            machine.operations + 1, kept, _reached(machine, kept), _handed_out(machine, kept), (), None, False
        )

    def close(self) -> None:
        """End the operation that is under way."""
        if self._open is None or self._machine is None:
            return
        forks = self._machine.ledger.forks[self._forks :]
        ns = sum(costs.fork_ns(fork, self.profile) for fork in forks) if forks else None
        failed = any(fork.failed for fork in forks)
        self.steps.append(replace(self._open, events=_merged(self._events), fork_ns=ns, failed=failed))
        self._events.clear()
        self._open = None


def _merged(events: list[Event]) -> tuple[Event, ...]:
    """Put together what was booked in several parts of one operation, in the order of a row's columns."""
    parts: dict[tuple[EventKind, int, str, str], list[npt.NDArray[np.integer]]] = {}
    for event in events:
        parts.setdefault((event.kind, event.process, event.site, event.cause), []).append(event.pages)
    keys = sorted(parts, key=lambda key: KINDS.index(key[0]))
    return tuple(
        Event(kind, process, np.concatenate(parts[kind, process, site, cause]), site, cause)
        for kind, process, site, cause in keys
    )


def _own_pages(operation: Operation) -> Operation:
    """Return the operation with a copy of its pages: a workload may use its array again."""
    pages = getattr(operation, "pages", None)
    return replace(operation, pages=pages.copy()) if isinstance(pages, np.ndarray) else operation  # type: ignore[call-arg]


def _reached(machine: SimulatedMachine, operation: Operation) -> Pages | None:
    if isinstance(operation, Fork | Exec | Exit):
        return None
    if isinstance(operation, Release | DeviceWrite | DeviceRead):
        known = 0 <= operation.reference < len(machine.references)
        reference = machine.references[operation.reference] if known else None
        return reference.pages.copy() if isinstance(reference, ReferenceState) else range(0)
    pages: Pages = getattr(operation, "pages", range(0))
    return pages


def _handed_out(machine: SimulatedMachine, operation: Operation) -> str:
    if isinstance(operation, Spawn | Fork):
        return f"process {len(machine.processes)}"
    return f"reference {len(machine.references)}" if isinstance(operation, Pin | Get) else ""


def say_runs(pages: npt.NDArray[np.integer], most: int | None = None) -> str:
    """Return page numbers in ascending order as runs, "0-3, 7"; after `most` of them how many pages are left out."""
    runs = encode_pages(np.unique(pages))
    texts = [str(run) if isinstance(run, int) else f"{run[0]}-{run[1] - 1}" for run in runs]
    if most is None or len(texts) <= most:
        return ", ".join(texts)
    rest = sum(1 if isinstance(run, int) else run[1] - run[0] for run in runs[most:])
    return f"{', '.join(texts[:most])} and {rest} more"


def say_event(event: Event, most: int | None = None) -> str:
    """Return a booking in words, with its pages: "12 copies at a write fault: 0-3, 7"."""
    number = len(event.pages)
    if event.kind == "torn_snapshots":
        return "the child is no single instant of its parent"
    if event.kind == "copies":
        words = f"{_counted(number, 'copy', 'copies')} {SITE_WORDS[event.site]}"
    elif event.kind == "false_positive_copies":
        words = f"{number:,} needless, because {CAUSE_WORDS[event.cause]}"
    else:
        words = _counted(number, *_WORDS[event.kind])
    return f"{words}: {say_runs(event.pages, most)}"


_WORDS: dict[EventKind, tuple[str, str]] = {
    "reuses": ("page reused", "pages reused"),
    "leaks": ("leak", "leaks"),
    "lost_pins": ("pin lost", "pins lost"),
    "lost_gets": ("FOLL_GET reference lost", "FOLL_GET references lost"),
    "lost_pins_documented": ("read pin lost, as documented", "read pins lost, as documented"),
    "missed_early_copies": ("page shared though the parent holds it", "pages shared though the parent holds them"),
}


def short(words: str, most: int) -> str:
    """Return words about an operation with no more than `most` runs of its pages."""
    run = r"\d+(?: to \d+)?"
    return re.sub(rf"((?:{run}, ){{{most}}}){run}(?:, {run})*", r"\1...", words)


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
