"""Modelled times: what a ledger counted times the costs of a profile.

Times are kept in whole picoseconds until they are written as integer ns, so that sums never depend on their order.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cowbench.errors import ProfileError
from cowbench.ledger import FaultCounts, ForkCounts, Ledger, LockHold, LockHolds
from cowbench.parameters import nearest

VERSION = 1
PUBLISHED = Path(__file__).resolve().parent / "profiles" / "published.json"
"""The default profile: published figures, and values that are only assumed and say so."""


@dataclass(frozen=True)
class Cost:
    """One entry of a profile: ns a piece, and where the figure is from ("assumed: ..." if from nowhere).

    interval: what a measured figure is between, with 95 % confidence; None if nobody said.
    """

    ns: float
    source: str
    interval: tuple[float, float] | None = None

    @property
    def assumed(self) -> bool:
        """Whether no measurement stands behind the figure."""
        return self.source.startswith("assumed")

    @cached_property
    def ps(self) -> int:
        """The cost in whole picoseconds."""
        return round(self.ns * 1000)


@dataclass(frozen=True)
class CostProfile:
    """What each step costs on one machine; see profiles/published.json for the meaning and source of each entry."""

    name: str
    fork_base: Cost
    fork_per_pte: Cost
    fork_per_swap_pte: Cost
    early_copy: Cost
    allocation: Cost
    lock_drop: Cost
    reuse_fault: Cost
    copy_fault: Cost
    zero_fill_fault: Cost
    swap_in_fault: Cost
    read_zero_fault: Cost
    pin_per_page: Cost
    unpin_per_page: Cost
    page_out_per_page: Cost
    exit_per_pte: Cost

    @property
    def costs(self) -> dict[str, Cost]:
        """Every entry by name."""
        return {name: getattr(self, name) for name in ENTRIES}

    @property
    def digest(self) -> str:
        """Hash of all that can change a modelled time."""
        values = [self.name, *((name, cost.ps) for name, cost in self.costs.items())]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()

    def scaled(self, entry: str, factor: float) -> CostProfile:
        """Return the profile with one entry multiplied."""
        cost = self.costs[entry]
        return CostProfile(self.name, **self.costs | {entry: Cost(cost.ns * factor, cost.source)})

    def to_json(self) -> str:
        """Write the profile as a profile file holds it."""
        return json.dumps(self.document())

    def document(self) -> dict[str, Any]:
        """Return the profile as the JSON object of a profile file."""
        entries = {name: dataclasses.asdict(cost) for name, cost in self.costs.items()}
        for entry in entries.values():
            if entry["interval"] is None:
                del entry["interval"]
        return {"cowbench_profile": VERSION, "name": self.name, "entries": entries}


ENTRIES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(CostProfile) if field.name != "name")

_FORK_COLUMNS = {
    "fork_base": "forks",
    "fork_per_pte": "forks_ptes",
    "fork_per_swap_pte": "forks_swap_ptes",
    "early_copy": "forks_early_copies",
    "allocation": "forks_allocations",
    "lock_drop": "forks_lock_drops",
}
FORK_ENTRIES: tuple[str, ...] = tuple(_FORK_COLUMNS)
"""Entries that modelled fork times depend on."""


def read_profile(path: Path = PUBLISHED) -> CostProfile:
    """Read a profile file. Raises ProfileError naming what is wrong and the remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProfileError(f"{path}: cannot be read ({error.strerror}); give the path of a cost profile") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: not a cost profile; compare it with {PUBLISHED}") from None
    return parse_profile(text, str(path))


def parse_profile(text: str, origin: str = "profile") -> CostProfile:
    """Read a profile from JSON; `origin` names it in errors."""
    try:
        document = json.loads(text)
        version, name, entries = document["cowbench_profile"], document["name"], dict(document["entries"])
    except (ValueError, KeyError, TypeError):
        raise ProfileError(f"{origin}: not a cost profile; compare it with {PUBLISHED}") from None
    if version != VERSION:
        raise ProfileError(f"{origin}: profile format {version}, this cowbench reads {VERSION}; update cowbench")
    for entry in entries:
        if entry not in ENTRIES:
            raise ProfileError(f"{origin}: unknown entry '{entry}': {nearest(entry, ENTRIES)}")
    return CostProfile(name=str(name), **{entry: _cost(origin, entry, entries.get(entry)) for entry in ENTRIES})


def _cost(origin: str, entry: str, value: Any) -> Cost:
    if value is None:
        raise ProfileError(f"{origin}: entry '{entry}' is missing; give it ns and a source")
    try:
        low_high = value.get("interval")
        interval = None if low_high is None else (float(low_high[0]), float(low_high[1]))
        cost = Cost(float(value["ns"]), str(value["source"]), interval)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise ProfileError(f'{origin}: entry \'{entry}\' must be {{"ns": number, "source": text}}') from None
    if not math.isfinite(cost.ns) or cost.ns < 0:
        raise ProfileError(f"{origin}: entry '{entry}' is {cost.ns} ns; costs are finite and not negative")
    return cost


def fork_ps(counts: ForkCounts, profile: CostProfile) -> int:
    """Return the modelled time of one fork in ps; a failed one pays for what it did."""
    return (
        profile.fork_base.ps
        + counts.ptes * profile.fork_per_pte.ps
        + counts.swap_ptes * profile.fork_per_swap_pte.ps
        + counts.early_copies * profile.early_copy.ps
        + counts.allocations * profile.allocation.ps
        + counts.lock_drops * profile.lock_drop.ps
    )


def fork_ns(counts: ForkCounts, profile: CostProfile) -> int:
    """Return the modelled time of one fork in ns."""
    return _ns(fork_ps(counts, profile))


def mean_fork_ns(totals: Mapping[str, Any], profile: CostProfile) -> int | None:
    """Return the mean modelled fork time in ns from a row's `forks*` columns alone; None without a fork."""
    forks = int(totals["forks"])
    if not forks:
        return None
    total = sum(int(totals[column]) * getattr(profile, entry).ps for entry, column in _FORK_COLUMNS.items())
    return _ns(total, forks)


def fork_columns(ledger: Ledger, profile: CostProfile) -> dict[str, int | None]:
    """Return a row's columns about forks: modelled times and the totals behind their mean."""
    forks = ledger.forks
    totals = {
        "forks": len(forks),
        "fork_failures": sum(fork.failed for fork in forks),
        "forks_ptes": sum(fork.ptes for fork in forks),
        "forks_swap_ptes": sum(fork.swap_ptes for fork in forks),
        "forks_early_copies": sum(fork.early_copies for fork in forks),
        "forks_allocations": sum(fork.allocations for fork in forks),
        "forks_lock_drops": sum(fork.lock_drops for fork in forks),
    }
    times = sorted(fork_ns(fork, profile) for fork in forks)
    return {
        "fork_ns_mean": mean_fork_ns(totals, profile),
        "fork_ns_p50": nearest_rank(times, 50),
        "fork_ns_p99": nearest_rank(times, 99),
        "fork_ns_max": nearest_rank(times, 100),
        **_lock_columns(ledger.lock_holds, profile),
        **totals,
    }


def _lock_columns(holds: LockHolds, profile: CostProfile) -> dict[str, int | None]:
    """Return a row's columns about the page-table lock: quantiles over all holds, by nearest rank."""
    times = sorted((hold_ns(hold, profile), count) for hold, count in holds.items())
    ranks = {"p50": 50, "p99": 99, "max": 100}
    return {f"lock_hold_ns_{name}": _weighted_rank(times, percent) for name, percent in ranks.items()}


def hold_ns(hold: LockHold, profile: CostProfile) -> int:
    """Return the modelled time of one hold of a page-table lock in ns; every entry walked costs as a present one."""
    return _ns(
        hold.entries * profile.fork_per_pte.ps
        + hold.copies * profile.early_copy.ps
        + hold.allocations * profile.allocation.ps
    )


def time_columns(ledger: Ledger, profile: CostProfile) -> dict[str, int]:
    """Return a row's modelled times other than those of forks, in ns."""
    pins = ledger.pinned_pages * profile.pin_per_page.ps + ledger.unpinned_pages * profile.unpin_per_page.ps
    return {
        "fault_ns_total": _ns(_fault_ps(ledger.faults, profile)),
        "pin_ns_total": _ns(pins + _fault_ps(ledger.pin_faults, profile)),
        "page_out_ns_total": _ns(ledger.paged_out * profile.page_out_per_page.ps),
        "exit_ns_total": _ns(ledger.zapped * profile.exit_per_pte.ps),
    }


def _fault_ps(faults: FaultCounts, profile: CostProfile) -> int:
    return (
        faults.zero_fill * profile.zero_fill_fault.ps
        + (faults.reuse + faults.unshare_reuse) * profile.reuse_fault.ps
        + faults.copy * profile.copy_fault.ps
        + faults.swap_in * profile.swap_in_fault.ps
        + faults.read_zero * profile.read_zero_fault.ps
    )


def nearest_rank(ordered: list[int], percent: int) -> int | None:
    """Return a percentile of ordered numbers by nearest rank; None if there are none."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None


def _weighted_rank(ordered: list[tuple[int, int]], percent: int) -> int | None:
    """As `nearest_rank`, of values with counts."""
    left = -(-sum(count for _, count in ordered) * percent // 100)
    for value, count in ordered:
        left -= count
        if left <= 0:
            return value
    return None


def _ns(ps: int, divisor: int = 1) -> int:
    """Return ps / divisor in ns, halves rounded up."""
    return (2 * ps + 1000 * divisor) // (2000 * divisor)
