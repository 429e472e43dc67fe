"""The account from outside equals the ledger's, on random programs under every policy."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from cowbench import plugins
from cowbench.expected import Watched
from cowbench.generator.program import random_program
from cowbench.ledger import Ledger
from cowbench.linux.account import Account, account
from cowbench.machine import MachineConfig, Process
from cowbench.observation import Observation
from cowbench.operations import Exec, Fork, Operation, PageOut, Pin, Read, Spawn, Write
from tests.modelled import build

POLICIES = sorted(plugins.available("policy"))
PLAIN = ("leaks", "lost_pins", "lost_gets", "lost_pins_documented", "missed_early_copies")


def both(policy: str, config: MachineConfig, program: list[Operation]) -> tuple[Account, Ledger]:
    watched = Watched(build(policy, {}), config)
    seen = Observation(tuple(watched.apply(operation) for operation in program))
    return account(program, seen), watched.machine.ledger


def from_account(seen: Account) -> dict[str, Any]:
    sites = {f"copies {site}": count for site, count in seen.copies.items()}
    sites |= {f"needless {site}": count for site, count in seen.false_positives.items()}
    return sites | {name: getattr(seen, name) for name in (*PLAIN, "forks", "forks_ptes")}


def from_ledger(ledger: Ledger) -> dict[str, Any]:
    assert ledger.copies["swap_in"] == 0
    sites = {f"copies {site}": count for site, count in ledger.copies.items() if site != "swap_in"}
    sites |= {f"needless {site}": count for site, count in ledger.false_positives.items() if site != "swap_in"}
    forks = {"forks": len(ledger.forks), "forks_ptes": sum(fork.ptes for fork in ledger.forks)}
    return sites | {name: getattr(ledger, name) for name in PLAIN} | forks


def totals(policy: str, seeds: range) -> Counter[str]:
    """Hold both accounts of random programs against each other; return the sums of what was counted."""
    found: Counter[str] = Counter()
    for seed in seeds:
        config, program = random_program(np.random.default_rng(seed), pages=16, operations=30, staged=False)
        seen, ledger = both(policy, config, [operation for operation in program if operation.op != "page_out"])
        if seen.unseen:
            assert seen.unseen.endswith(("out of frames", "fork failed"))
            continue
        assert from_account(seen) == from_ledger(ledger), f"{policy}, seed {seed}"
        found.update(from_ledger(ledger) | {"programs": 1})
    return found


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_seen_from_outside_is_what_the_ledger_booked(policy: str) -> None:
    assert totals(policy, range(40))["programs"] > 20


def test_every_count_is_put_to_the_test() -> None:
    found = totals("page_count", range(100, 140)) + totals("has_pinned", range(100, 140))
    found += totals("always_reuse", range(100, 140)) + totals("eager_copy", range(100, 140))
    zero = {name for name in from_account(Account()) if not found[name]}
    assert zero <= {"needless pin"}  # no built-in policy makes one without a page in the swap cache


def test_pages_put_out_to_swap_end_the_account() -> None:
    config = MachineConfig()
    program: list[Operation] = [Spawn(), Write(Process(0), range(4)), PageOut(Process(0), range(2))]
    seen, _ = both("anon_exclusive", config, program)
    assert seen == Account(unseen="pages were put out to swap")


def test_a_reference_from_before_an_exec_is_not_lost_by_what_comes_after() -> None:
    one, page = Process(0), range(1)
    program: list[Operation] = [Spawn(), Write(one, page), Pin(one, page, longterm=True), Exec(one)]
    program += [Read(one, page), Write(one, page), Fork(one), Write(one, page)]
    seen, ledger = both("anon_exclusive", MachineConfig(), program)
    assert from_account(seen) == from_ledger(ledger)
    assert (seen.lost_pins, seen.copies["write_fault"]) == (0, 1)
