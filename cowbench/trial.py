"""One trial: a workload runs on a machine driven by a policy, and what was counted becomes one row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

import numpy as np
from numpy.random import Generator, SeedSequence

from cowbench import costs, plugins, schema
from cowbench.costs import CostProfile
from cowbench.errors import CowbenchError, NotApplicable, OutOfFrames, PluginError
from cowbench.ledger import Ledger
from cowbench.machine import Machine, MachineConfig
from cowbench.operations import Recorder
from cowbench.policy import Policy
from cowbench.program_file import ProgramWriter
from cowbench.schema import Row
from cowbench.simulated import SimulatedMachine
from cowbench.spec import PluginSpec
from cowbench.workload import Workload

_PLAIN = (
    "reuses",
    "leaks",
    "lost_pins",
    "lost_gets",
    "lost_pins_documented",
    "missed_early_copies",
    "torn_snapshots",
    "charged_parent",
    "charged_child",
    "frames_peak",
)
"""Columns that are one field of the ledger."""


def run_trial(
    policy: PluginSpec, workload: PluginSpec, seed: int, profile: CostProfile, record: Path | None = None
) -> Row:
    """Run one trial and return its row; `record` names a program file to write the operations to.

    A plug-in that fails gives a row of status "failed" whose `error` names it. Raises PluginError if a file
    changed since its spec was made.
    """
    return identity(policy, workload, seed, profile) | measure(policy, workload, seed, profile, record)


def identity(policy: PluginSpec, workload: PluginSpec, seed: int, profile: CostProfile) -> Row:
    """Return the part of a row that is known before the trial: names, parameters and seed."""
    rule: Policy = policy.build()
    return {
        "policy": policy.text,
        "policy_name": policy.name,
        "sees_truth": int(rule.sees_truth),
        "profile": profile.name,
        **{f"policy.{name}": value for name, value in rule.values().items()},
        **workload_identity(workload, seed),
    }


def workload_identity(workload: PluginSpec, seed: int) -> Row:
    """Return what a row says about its workload, whatever carries that out."""
    load: Workload = workload.build()
    return {
        "workload": workload.text,
        "workload_name": workload.name,
        "seed": seed,
        "sampling": "exact" if load.exact else "sampled",
        "control": int(load.control),
        "curve": load.on_curve(),
        **{f"workload.{name}": value for name, value in load.values().items()},
    }


def measure(
    policy: PluginSpec,
    workload: PluginSpec,
    seed: int,
    profile: CostProfile,
    record: Path | None = None,
    follow: Callable[[SimulatedMachine], Machine] | None = None,
) -> Row:
    """Run one trial and return the other part of its row: status, counts and modelled times.

    follow: is given the machine, and returns the one that the workload drives in its place.
    """
    rule: Policy = policy.build()
    load: Workload = workload.build()
    try:
        config = load.machine()
    except Exception as error:  # a trial must not take the other cells of a sweep down with it
        return failure(blame(error, policy, workload))
    with _writer(record, config) as writer:
        try:
            machine = SimulatedMachine(rule, config)
            driven = follow(machine) if follow else machine
            load.run(_recorded(driven, writer), generator(workload, seed))
        except OutOfFrames as error:
            return {"status": "out_of_frames", "error": str(error)} | _counted(machine.ledger, profile)
        except NotApplicable as error:
            return failure(str(error), "not_applicable")
        except Exception as error:
            return failure(blame(error, policy, workload))
    return {"status": "ok", "error": None} | _counted(machine.ledger, profile)


def failure(error: str, status: str = "failed") -> Row:
    """Return the measured part of a row that has nothing to count."""
    return {"status": status, "error": error} | dict.fromkeys(schema.METRICS)


def generator(workload: PluginSpec, seed: int) -> Generator:
    """Return the random numbers of a workload: they depend on it and the seed alone, so all policies see the same."""
    words = np.frombuffer(hashlib.sha256(workload.text.encode()).digest()[:16], dtype="<u4")
    return np.random.default_rng(SeedSequence(seed, spawn_key=tuple(int(word) for word in words)))


def _writer(record: Path | None, config: MachineConfig) -> AbstractContextManager[ProgramWriter | None]:
    return nullcontext() if record is None else ProgramWriter(record, config)


def _recorded(machine: Machine, writer: ProgramWriter | None) -> Machine:
    return machine if writer is None else cast(Machine, Recorder(machine, writer.operation))


def _counted(ledger: Ledger, profile: CostProfile) -> Row:
    return {name: getattr(ledger, name) for name in _PLAIN} | {
        "copies": sum(ledger.copies.values()),
        **{f"copies_{site}": count for site, count in ledger.copies.items()},
        "false_positive_copies": sum(ledger.false_positives.values()),
        **{f"false_positive_copies_{site}": count for site, count in ledger.false_positives.items()},
        **{f"false_positive_cause_{cause}": count for cause, count in ledger.causes.items()},
        **costs.fork_columns(ledger, profile),
        **costs.time_columns(ledger, profile),
    }


def blame(error: Exception, *specs: PluginSpec) -> str:
    """Say in one line which plug-in failed, where and how. specs: those that took part, the workload last."""
    if isinstance(error, MemoryError):
        return f"workload {specs[-1].text}: this machine has not enough memory for it; use fewer pages"
    if isinstance(error, PluginError):
        return str(error)
    for spec in specs:
        line = plugins.line_in(error, Path(spec.file))
        if line:
            what = str(error) if isinstance(error, CowbenchError) else plugins.words_of(error)
            return f"{spec.kind} {spec.name} ({spec.file}:{line}): {what}"
    if isinstance(error, CowbenchError):  # of a file that was replayed, say, which it names
        return str(error)
    return f"{' on '.join(spec.text for spec in specs)}: {plugins.words_of(error)}"
