"""One trial on a real kernel: the row of a workload that it carried out, with what can be seen from outside."""

from __future__ import annotations

from cowbench import schema
from cowbench.costs import nearest_rank
from cowbench.linux.account import SITES, Account, account
from cowbench.linux.connection import Kernel
from cowbench.linux.machine import Script
from cowbench.observation import Observation
from cowbench.operations import Fork, Operation
from cowbench.schema import Row
from cowbench.spec import PluginSpec
from cowbench.trial import blame, failure, generator, workload_identity
from cowbench.workload import Workload

PROFILE = "measured"
"""Stands in the column `profile` of rows whose times are no model's."""
_PLAIN = ("leaks", "lost_pins", "lost_gets", "lost_pins_documented", "missed_early_copies", "forks", "forks_ptes")
"""Columns that are one field of the account."""


def identity(release: str, workload: PluginSpec, seed: int) -> Row:
    """Return the part of a row that is known before the trial."""
    return {
        "policy": f"kernel:{release}",
        "policy_name": f"kernel:{release}",
        "sees_truth": 0,
        "profile": PROFILE,
        **workload_identity(workload, seed),
    }


def measure(kernel: Kernel, workload: PluginSpec, seed: int) -> Row:
    """Run one trial and return the other part of its row. Raises KernelError if the kernel does not answer."""
    load: Workload = workload.build()
    script = Script()
    try:
        load.run(script.machine, generator(workload, seed))
    except Exception as error:  # a trial must not take the other cells of a run down with it
        return failure(blame(error, workload))
    seen = kernel.observe(script.operations, load.machine())
    if seen.not_applicable:
        return failure(seen.not_applicable, "not_applicable")
    for operation, step in zip(script.operations, seen.steps, strict=True):
        if step.failed:
            return failure(f"{operation.op} was not carried out to its end: {step.failed}")
    return _row(script.operations, seen, timed=not kernel.emulated)


def _row(operations: list[Operation], seen: Observation, *, timed: bool) -> Row:
    found = account(operations, seen)
    times = [step.ns for operation, step in zip(operations, seen.steps, strict=True) if isinstance(operation, Fork)]
    return {
        "status": "ok",
        "error": f"not counted: {found.unseen}" if found.unseen else None,
        **dict.fromkeys(schema.METRICS),
        **({} if found.unseen else _counted(found)),
        **_fork_times(sorted(ns for ns in times if ns is not None and timed)),
    }


def _counted(found: Account) -> Row:
    """Return what the account counts; the other metrics cannot be seen."""
    return {
        "copies": sum(found.copies.values()),
        **{f"copies_{site}": found.copies[site] for site in SITES},
        "false_positive_copies": sum(found.false_positives.values()),
        **{f"false_positive_copies_{site}": found.false_positives[site] for site in SITES},
        "copies_swap_in": 0,
        "false_positive_copies_swap_in": 0,
        "torn_snapshots": 0,
        "fork_failures": 0,
        "forks_swap_ptes": 0,
        "forks_early_copies": found.copies["fork"],
        **{name: getattr(found, name) for name in _PLAIN},
    }


def _fork_times(times: list[int]) -> Row:
    return {
        "fork_ns_mean": (2 * sum(times) + len(times)) // (2 * len(times)) if times else None,
        "fork_ns_p50": nearest_rank(times, 50),
        "fork_ns_p99": nearest_rank(times, 99),
        "fork_ns_max": nearest_rank(times, 100),
    }
