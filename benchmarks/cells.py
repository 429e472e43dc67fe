"""The sentinel cells: every built-in policy on every built-in workload, one seed, as asv tracks them over commits.

Imports nothing but cowbench and the standard library, and runs on any commit since the engine first ran: engine and
policies are those of the commit, workloads those of this checkout, so that the same program is counted everywhere.

usage: python benchmarks/cells.py [WORKLOAD ...]    prints [[policy, workload, counts or why none], ...] as JSON
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

WORKLOADS = Path(__file__).resolve().parents[1] / "workloads"

# Literal: asv takes parameters from one import and uses them for all commits.
POLICIES = (
    "always_reuse",
    "anon_exclusive",
    "eager_copy",
    "forced_cow",
    "has_pinned",
    "longterm_only",
    "mapcount",
    "oracle",
    "page_count",
    "page_count_5_18",
    "pin_counter",
    "pin_exact",
)


class Sentinel(NamedTuple):
    """A workload as it is tracked.

    version: raised by hand when the program becomes another one; its curves then begin anew. digest: what holds the
    version to the workload's definition, see tests/test_asv.py. forks: whether it forks, so that fork has a latency.
    """

    version: int
    digest: str
    forks: bool = True


SENTINELS = {
    "all_pinned": Sentinel(1, "78a10a85"),
    "anon_cow_rand": Sentinel(1, "1cf1d265"),
    "anon_cow_seq": Sentinel(1, "b2a0d2d0"),
    "container_host": Sentinel(1, "ea17cd20"),
    "database_prefork": Sentinel(1, "68f97470"),
    "dataloader": Sentinel(1, "761e9070"),
    "direct_io_race": Sentinel(1, "06386b37"),
    "failed_fork": Sentinel(1, "0e324317"),
    "fork_server": Sentinel(1, "a42072ac"),
    "many_references": Sentinel(1, "19a4641e"),
    "many_sharers": Sentinel(1, "e6082c32"),
    "no_fork": Sentinel(1, "197b5f62", forks=False),
    "pin_window": Sentinel(1, "14fa0dab"),
    "pinned_once": Sentinel(1, "f7249993"),
    "pipe_attacker": Sentinel(1, "c90048c6"),
    "postgres_backends": Sentinel(1, "a9a2560b"),
    "prefork_server": Sentinel(1, "cadc709c"),
    "prefork_web": Sentinel(1, "e9fd88a0"),
    "python_pool": Sentinel(1, "14e04492"),
    "rdma_hidden_fork": Sentinel(1, "a08ad063"),
    "redis_bgsave": Sentinel(1, "fb11cb11"),
    "short_memory": Sentinel(1, "6e9cb4c6"),
    "short_pin": Sentinel(1, "379be623"),
    "snapshot_store": Sentinel(1, "1ae80a54"),
    "snapshot_under_swap": Sentinel(1, "e00c7900"),
    "spawn_exec": Sentinel(1, "d0819b78"),
    "stream": Sentinel(1, "3299d909"),
    "swap_pressure": Sentinel(1, "02c47ee0", forks=False),
    "trace": Sentinel(1, "e1479c18"),
    "uring_server": Sentinel(1, "c0c8f277"),
    "vm_guest": Sentinel(1, "1f15248c"),
    "worker_refork": Sentinel(1, "d9c1af90"),
    "write_fault_duration": Sentinel(1, "e78d6b91", forks=False),
    "zygote": Sentinel(1, "d1577b12"),
}


def label(workload: str) -> str:
    """Return the name under which a workload is tracked: its own, and from version 2 on the version."""
    version = SENTINELS[workload].version
    return workload if version == 1 else f"{workload}.{version}"


METRICS = {
    "copies": "copies",
    "false_positive_copies": "copies",
    "leaks": "pages",
    "lost_pins": "pairs",
    "lost_gets": "pairs",
    "frames_peak": "frames",
    "fork_ns_mean": "ns",
    "fork_ns_p99": "ns",
}
"""Columns of the result table, with their units. Costs, all of them: asv knows only "less is better"."""

Cell = dict[str, int | None] | str
"""The metrics of a cell, None where one does not apply; or in words why the commit has none."""


def simulate(workloads: Iterable[str] = ()) -> dict[tuple[str, str], Cell]:
    """Run every cell once, or those of some workloads. (policy, label of the workload) -> metrics, or why none."""
    return {(p, label(w)): _cell(p, w) for w in workloads or SENTINELS for p in POLICIES}


def _cell(policy: str, workload: str) -> Cell:
    from cowbench import costs, spec, trial
    from cowbench.errors import CowbenchError

    try:
        row = trial.measure(spec.parse("policy", policy), _spec(workload), 0, costs.read_profile())
    except CowbenchError as error:
        return " ".join(str(error).split())
    if row["status"] not in ("ok", "out_of_frames"):
        return f"{row['status']}: {row['error']}"
    return {name: row[name] for name in METRICS}


@cache
def _spec(workload: str) -> Any:
    """Return the spec of this checkout's workload under its own name, whatever the commit's copy of it holds."""
    from cowbench import plugins, spec

    file = WORKLOADS / f"{workload}.py"
    plugins.load_file("workload", file).name = workload  # random numbers are drawn by name
    return spec.PluginSpec("workload", workload, str(file), (), plugins.file_digest("workload", file))


if __name__ == "__main__":
    json.dump([[*key, cell] for key, cell in simulate(sys.argv[1:]).items()], sys.stdout)
