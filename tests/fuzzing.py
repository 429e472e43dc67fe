"""Model against twin on random programs: the same state and the same ledger after every operation.

`python -m tests.fuzzing --operations 1000000 --state fuzz.json` runs until every policy has had that many operations,
remembers how far it is in the file, and may be interrupted and started again; a difference is shrunk and printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from cowbench.errors import OutOfFrames
from cowbench.generator import random_program, shrink
from cowbench.machine import Machine, MachineConfig
from cowbench.operations import Exec, Exit, Fork, Operation
from cowbench.simulated import faults, fork, frames, locks, zap
from tests.modelled import modelled
from tests.same_state import same_state
from tests.twin import Twin
from tests.twin import fork as twin_fork

Parameters = dict[str, Any]
CHOICES: dict[str, dict[str, list[Any]]] = {
    "always_reuse": {},
    "eager_copy": {},
    "mapcount": {},
    "forced_cow": {},
    "page_count": {},
    "has_pinned": {"variant": ["5.9", "5.11", "5.17"]},
    "longterm_only": {},
    "pin_counter": {},
    "pin_exact": {},
    "page_count_5_18": {},
    "anon_exclusive": {"kernel": ["5.19", "6.1", "6.6", "6.12", "6.19", "7.0", "7.3"], "freeze_writers": [False, True]},
    "oracle": {"freeze_writers": [False, True]},
}
"""Policy -> parameters to draw from, besides those that every early-copying policy has."""
QUIET = (Fork, Exit, Exec)
EARLY = {"gfp": ["sleep", "atomic"], "on_failure": ["fail", "share"], "charge": ["parent", "child"]}
PLAIN = ("always_reuse", "mapcount", "forced_cow", "page_count")


def draw_shape(rng: Generator) -> None:
    """Set the model's thresholds: as they are, or so low that small programs take the paths of large ones too."""
    small = bool(rng.integers(2))
    fork.DENSE_PAGES, fork.DENSE_SHARE, fork.CROWD = (int(rng.integers(1, 20)), 1 << 20, 3) if small else DEFAULTS[:3]
    faults.BLOCK = int(rng.integers(3, 40)) if small else DEFAULTS[3]
    fork.DENSE_BLOCK = zap.DENSE_BLOCK = int(rng.integers(3, 40)) if small else DEFAULTS[4]
    locks.TABLE = twin_fork.TABLE = int(rng.integers(2, 20)) if small else DEFAULTS[5]
    frames.MAX_SWEEP = int(rng.integers(1, 20)) if small else DEFAULTS[6]


def restore_shape() -> None:
    """Set the model's thresholds back to what they were."""
    fork.DENSE_PAGES, fork.DENSE_SHARE, fork.CROWD, faults.BLOCK, fork.DENSE_BLOCK, locks.TABLE, frames.MAX_SWEEP = (
        DEFAULTS
    )
    zap.DENSE_BLOCK, twin_fork.TABLE = fork.DENSE_BLOCK, locks.TABLE


DEFAULTS = (
    fork.DENSE_PAGES,
    fork.DENSE_SHARE,
    fork.CROWD,
    faults.BLOCK,
    fork.DENSE_BLOCK,
    locks.TABLE,
    frames.MAX_SWEEP,
)


def draw_parameters(policy: str, rng: Generator) -> Parameters:
    """Return random parameters for a built-in policy."""
    choices = CHOICES[policy] if policy in PLAIN else {**CHOICES[policy], **EARLY}
    return {key: values[int(rng.integers(len(values)))] for key, values in choices.items()}


def first_difference(
    policy: str, parameters: Parameters, config: MachineConfig, program: list[Operation], blind: bool = False
) -> int | None:
    """Return the index of the operation after which model and twin differ, None if they never do.

    blind: do not look at the state after forks, exits and execs, so that what the model puts off stays put off.
    """
    twin, model = Twin(policy, dict(parameters), config), modelled(policy, parameters, config)
    for index, operation in enumerate(program):
        if _done(operation, twin) != _done(operation, model):
            return index
        if twin.ledger != model.ledger:
            return index
        if not (blind and isinstance(operation, QUIET)) and not same_state(twin.snapshot(), model.snapshot()):
            return index
    return None


def _done(operation: Operation, machine: Machine) -> int | None:
    """Carry an operation out; return how far it came if frames ran out."""
    try:
        operation.apply(machine)
    except OutOfFrames as error:
        return error.done
    return None


def run_seed(policy: str, seed: int) -> int:
    """Hold one random program; return its length. Raises AssertionError with the shrunk program on a difference."""
    rng = np.random.default_rng([seed, *policy.encode()])
    draw_shape(rng)
    parameters = draw_parameters(policy, rng)
    config, program = random_program(rng, pages=int(rng.choice([8, 20, 36, 64], p=[0.4, 0.3, 0.2, 0.1])))
    blind = bool(rng.integers(2))
    if first_difference(policy, parameters, config, program, blind) is None:
        return len(program)
    small = shrink(program, lambda part: first_difference(policy, parameters, config, part, blind) is not None)
    lines = "\n".join(map(str, small))
    raise AssertionError(f"{policy} {parameters}, seed {seed}, on {config}:\n{lines}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--operations", type=int, default=20_000, help="operations for each policy")
    parser.add_argument("--state", type=Path, help="JSON file that remembers how far each policy is")
    parser.add_argument("--policy", action="append", choices=sorted(CHOICES), help="only these")
    options = parser.parse_args()
    state: dict[str, list[int]] = (
        json.loads(options.state.read_text()) if options.state and options.state.exists() else {}
    )
    for policy in options.policy or CHOICES:
        seed, done = state.get(policy, [0, 0])
        while done < options.operations:
            done += run_seed(policy, seed)
            seed += 1
            state[policy] = [seed, done]
            if options.state and seed % 100 == 0:
                options.state.write_text(json.dumps(state))
        if options.state:
            options.state.write_text(json.dumps(state))
        print(f"{policy}: {done} operations in {seed} programs, no difference", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
