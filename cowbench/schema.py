"""The columns of the result table, in one place: one row is one trial.

Beside these, a row has one column for each parameter: `policy.<name>` and `workload.<name>`. Counts and times are
exact integers: the same plug-ins, seed and profile give the same row, bit for bit, on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cowbench.ledger import CAUSES, SITES

VERSION = 3
"""Raised whenever a column is added, removed or changes its meaning."""

FLAGS = ("sees_truth", "control")
"""Identity columns that say yes or no, as 1 or 0."""

Row = dict[str, Any]
"""One trial: column name -> value; None where a column does not apply (times of a workload that never forks)."""

Kind = Literal["identity", "status", "count", "time"]
Better = Literal["lower", "higher", "none"]


@dataclass(frozen=True)
class Column:
    """One column. better: the direction in which a policy improves; "none" if it has no good side."""

    name: str
    kind: Kind
    unit: str
    better: Better
    description: str

    @property
    def integer(self) -> bool:
        """Whether values are integers rather than text."""
        return self.kind in ("count", "time") or self.name in ("seed", *FLAGS)


SITE_WORDS = {
    "write_fault": "at a write fault",
    "fork": "for the child at fork",
    "pin": "while a pin or get was taken",
    "swap_in": "at a write that had to swap in",
}
"""When a copy was made, by site."""
CAUSE_WORDS = {
    "lock": "somebody held the page lock",
    "own_reference": "of a reference of the writer's own",
    "writeback": "the page was under writeback",
    "writeback_device": "the device needs stable pages under writeback",
    "swap_cache": "the page was still in the swap cache",
    "lru_batch_local": "it waited in this CPU's LRU batch",
    "lru_batch_remote": "it waited in another CPU's LRU batch",
    "speculative": "of a speculative reference",
    "bias_overflow": "1,024 references look like a pin",
    "sticky_bit": "the process had pinned once",
    "policy": "the rule asks for it",
}
"""Why a needless copy was made, by cause."""


def _identity() -> list[Column]:
    facts = [
        ("policy", "policy with its parameters that are not at their default; kernel:RELEASE for a real kernel"),
        ("policy_name", "policy without parameters"),
        ("workload", "workload with its parameters that are not at their default"),
        ("workload_name", "workload without parameters"),
        ("seed", "seed of the workload's random numbers; policies with equal seeds see equal draws"),
        ("sampling", '"exact": the workload draws nothing and one seed says all; else "sampled"'),
        ("sees_truth", "1 for an oracle, which sees what no kernel can; else 0"),
        ("control", "1 for a workload on which no policy should differ; else 0"),
        ("curve", "parameter along which this workload is one point of a curve, left out of sums; else empty"),
        ("profile", 'cost profile behind the modelled times; "measured": fork times are those of a real kernel'),
    ]
    return [Column(name, "identity", "", "none", text) for name, text in facts] + [
        Column("status", "status", "", "none", "ok, out_of_frames (counted up to there), not_applicable or failed"),
        Column(
            "error",
            "status",
            "",
            "none",
            "why the trial failed or ended early, or why nothing was counted on a real kernel",
        ),
    ]


def _copies() -> list[Column]:
    needless = "copies of frames that nobody else observed"
    return [
        Column("copies", "count", "copies", "lower", "frames copied, needed or not"),
        *(Column(f"copies_{site}", "count", "copies", "lower", f"copies {SITE_WORDS[site]}") for site in SITES),
        Column("false_positive_copies", "count", "copies", "lower", needless),
        *(
            Column(f"false_positive_copies_{site}", "count", "copies", "lower", f"{needless}, {SITE_WORDS[site]}")
            for site in SITES
        ),
        *(
            Column(f"false_positive_cause_{cause}", "count", "copies", "lower", f"... because {CAUSE_WORDS[cause]}")
            for cause in CAUSES
        ),
        Column("reuses", "count", "faults", "none", "write faults on present pages answered in place"),
    ]


def _outcomes() -> list[Column]:
    pairs = "(reference, page) pairs"
    return [
        Column("leaks", "count", "pages", "lower", "pages written into a frame that somebody else observes"),
        Column("lost_pins", "count", pairs, "lower", "pins cut off from their owner's page"),
        Column("lost_gets", "count", pairs, "lower", "coherent FOLL_GETs cut off from their owner's page"),
        Column("lost_pins_documented", "count", pairs, "none", "short read pins of the zero page lost, as documented"),
        Column("missed_early_copies", "count", "pages", "lower", "shared at fork though the parent held a reference"),
        Column("torn_snapshots", "count", "forks", "lower", "children that are no single instant of their parent"),
    ]


def _costs() -> list[Column]:
    held = "of a page-table lock by fork, where it copied early"
    return [
        Column("fork_ns_mean", "time", "ns", "lower", "modelled time of a fork, mean"),
        Column("fork_ns_p50", "time", "ns", "lower", "modelled time of a fork, median (nearest rank)"),
        Column("fork_ns_p99", "time", "ns", "lower", "modelled time of a fork, 99th percentile (nearest rank)"),
        Column("fork_ns_max", "time", "ns", "lower", "modelled time of the slowest fork"),
        Column("fault_ns_total", "time", "ns", "lower", "modelled time of all faults of reads and writes"),
        Column("pin_ns_total", "time", "ns", "lower", "modelled time of pins, gets, their faults and releases"),
        Column("page_out_ns_total", "time", "ns", "lower", "modelled time of pages put out to swap"),
        Column("exit_ns_total", "time", "ns", "lower", "modelled time of pages zapped by exit, exec and discard"),
        Column("lock_hold_ns_p50", "time", "ns", "lower", f"modelled hold {held}, median (nearest rank)"),
        Column("lock_hold_ns_p99", "time", "ns", "lower", f"modelled hold {held}, 99th percentile (nearest rank)"),
        Column("lock_hold_ns_max", "time", "ns", "lower", f"longest modelled hold {held}"),
        Column("frames_peak", "count", "frames", "lower", "most frames in use at once"),
        Column("charged_parent", "count", "frames", "none", "early copies paid by the parent's memory cgroup"),
        Column("charged_child", "count", "frames", "none", "early copies paid by the child's memory cgroup"),
        Column("forks", "count", "forks", "none", "forks tried"),
        Column("fork_failures", "count", "forks", "lower", "forks that failed for want of memory"),
        Column("forks_ptes", "count", "entries", "none", "present entries that all forks walked"),
        Column("forks_swap_ptes", "count", "entries", "none", "swap entries that all forks walked"),
        Column("forks_early_copies", "count", "copies", "lower", "frames copied for children by all forks"),
        Column("forks_allocations", "count", "frames", "lower", "frames asked for by all forks, failures included"),
        Column("forks_lock_drops", "count", "times", "lower", "page-table locks dropped to allocate, by all forks"),
    ]


COLUMNS: tuple[Column, ...] = (*_identity(), *_copies(), *_outcomes(), *_costs())
BY_NAME: dict[str, Column] = {column.name: column for column in COLUMNS}
METRICS: dict[str, Column] = {name: column for name, column in BY_NAME.items() if column.kind in ("count", "time")}
