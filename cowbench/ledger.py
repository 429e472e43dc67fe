"""What a machine counts while a program runs: the decision account of a trial.

Truth, needed copies and the words used here are defined in docs/truth.md. Sites and causes of false-positive
copies each add up to the total.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Site = Literal["write_fault", "fork", "pin", "swap_in"]
SITES: tuple[Site, ...] = get_args(Site)
"""Outermost operation in which a copy was made; pin covers pin and get, swap_in a write that had to swap in."""

Cause = Literal[
    "lock",
    "own_reference",
    "writeback",
    "writeback_device",
    "swap_cache",
    "lru_batch_local",
    "lru_batch_remote",
    "speculative",
    "bias_overflow",
    "sticky_bit",
    "policy",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)
"""Why a copy was made though nobody else observed the frame: the first that applies. Copies at fork are
decided by nothing but the pin test, so there only bias_overflow (a pin of the mm is live), sticky_bit (none is) and
policy apply."""


EventKind = Literal[
    "copies",
    "false_positive_copies",
    "reuses",
    "leaks",
    "lost_pins",
    "lost_gets",
    "lost_pins_documented",
    "missed_early_copies",
    "torn_snapshots",
]
"""What can be booked about pages, each named after the column of a row that it adds to."""
KINDS: tuple[EventKind, ...] = get_args(EventKind)


@dataclass(frozen=True)
class Event:
    """One booking with its pages, for whoever follows a trial; the ledger holds the sums.

    process: whose pages they are; of an early copy or a torn snapshot the child, of a missed early copy the parent,
    of what a device wrote the reference's owner. pages: page numbers, one an element booked (a page that two lost
    references were taken on stands twice; the one of a torn snapshot is 0). site: of a copy, needless or not. cause:
    of a needless copy, which is told of as a copy, too.
    """

    kind: EventKind
    process: int
    pages: npt.NDArray[np.integer[Any]]
    site: str = ""
    cause: str = ""


@dataclass(frozen=True)
class ForkCounts:
    """What one fork did: the factors of its modelled time.

    ptes: present entries (zero page included) walked; swap_ptes: swap entries walked;
    early_copies: frames copied for the child; allocations: frames asked for, failures included;
    lock_drops: times the page-table lock was dropped to allocate (none with atomic allocation);
    failed: the fork returned -ENOMEM.
    """

    ptes: int
    swap_ptes: int
    early_copies: int
    allocations: int
    lock_drops: int
    failed: bool


class LockHold(NamedTuple):
    """What fork did in one hold of a page-table lock: entries walked, frames copied, frames asked for."""

    entries: int
    copies: int
    allocations: int


LockHolds = dict[LockHold, int]
"""How many holds of each kind there were."""


@dataclass
class FaultCounts:
    """Faults by what they did: zero_fill (fresh page), reuse, copy, swap_in (page read back or found cached),
    read_zero (zero page mapped), unshare_reuse (read pin found the page its own).
    """

    zero_fill: int = 0
    reuse: int = 0
    copy: int = 0
    swap_in: int = 0
    read_zero: int = 0
    unshare_reuse: int = 0


def _zeros(keys: tuple[str, ...]) -> dict[str, int]:
    return dict.fromkeys(keys, 0)


@dataclass
class Ledger:
    """Counters of one run. Every field is cumulative and exact.

    copies, false_positives: by site. causes: false positives by cause.
    reuses: write faults on present pages answered in place.
    leaks: pages written (by a process or a device) into a frame that somebody else observes.
    lost_pins, lost_gets, lost_pins_documented: (reference, page) pairs cut off from their owner.
    missed_early_copies: pages shared at fork though the parent held a coherent reference to them.
    torn_snapshots: forks whose child is no single instant of its parent.
    charged_parent, charged_child: early copies by whose memory cgroup paid.
    frames_peak: most frames in use at once.
    lock_holds: holds of page-table locks by forks, of tables in which an early copy was tried.
    faults, pin_faults: faults of writes and reads, and faults inside pin or get.
    pinned_pages: pages taken by pin and get; unpinned_pages: pages released.
    paged_out: pages unmapped by page_out; zapped: present entries removed by exit, exec and discard.
    """

    copies: dict[str, int] = field(default_factory=lambda: _zeros(SITES))
    false_positives: dict[str, int] = field(default_factory=lambda: _zeros(SITES))
    causes: dict[str, int] = field(default_factory=lambda: _zeros(CAUSES))
    reuses: int = 0
    leaks: int = 0
    lost_pins: int = 0
    lost_gets: int = 0
    lost_pins_documented: int = 0
    missed_early_copies: int = 0
    torn_snapshots: int = 0
    charged_parent: int = 0
    charged_child: int = 0
    frames_peak: int = 0
    forks: list[ForkCounts] = field(default_factory=list)
    lock_holds: LockHolds = field(default_factory=dict)
    faults: FaultCounts = field(default_factory=FaultCounts)
    pin_faults: FaultCounts = field(default_factory=FaultCounts)
    pinned_pages: int = 0
    unpinned_pages: int = 0
    paged_out: int = 0
    zapped: int = 0
