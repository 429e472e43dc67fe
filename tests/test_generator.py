"""Random programs are valid, deterministic and eventful; the shrinker finds what a failure needs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from cowbench.generator import random_program, shrink, steps, without
from cowbench.machine import Process, Reference
from cowbench.operations import OPERATIONS, Fork, Get, Operation, Protect, Release, Spawn, Write, encode
from tests.twin import Twin

POLICIES = ("mapcount", "has_pinned", "anon_exclusive", "oracle")


def program(seed: int) -> list[Operation]:
    return random_program(np.random.default_rng(seed))[1]


def pages_of(operation: Operation) -> list[int]:
    return [int(page) for page in getattr(operation, "pages", ())]


@pytest.mark.parametrize("seed", range(100))
def test_programs_are_valid(seed: int) -> None:
    config, operations = random_program(np.random.default_rng(seed))
    assert len(operations) == 25
    twin = Twin(POLICIES[seed % len(POLICIES)], {}, config)
    for operation, error in steps(operations, twin):
        assert error is None or 0 <= error.done <= max(1024, len(pages_of(operation)))
    assert all(0 <= page < 64 for operation in operations for page in pages_of(operation))


def test_the_seed_says_all() -> None:
    first, again, other = ([encode(operation) for operation in program(seed)] for seed in (1, 1, 2))
    assert first == again != other


def test_every_operation_and_failure_is_met() -> None:
    met: Counter[str] = Counter()
    for seed in range(150):
        config, operations = random_program(np.random.default_rng(seed))
        twin = Twin("has_pinned", {"variant": "5.9"}, config)
        for operation, error in steps(operations, twin):
            met[operation.op] += 1
            met["out of frames"] += error is not None
        for name in ("leaks", "lost_pins", "lost_gets", "missed_early_copies", "torn_snapshots", "paged_out"):
            met[name] += getattr(twin.ledger, name)
        met.update(twin.ledger.copies)
        met.update(twin.ledger.causes)
        met["failed forks"] += sum(counts.failed for counts in twin.ledger.forks)
    assert set(OPERATIONS) <= {key for key, times in met.items() if times}
    wanted = {"out of frames", "failed forks", "leaks", "lost_pins", "lost_gets", "missed_early_copies", "paged_out"}
    wanted |= {"write_fault", "fork", "pin", "swap_in", "own_reference", "swap_cache", "lru_batch_local", "lock"}
    assert {name for name in wanted if not met[name]} == set()


def test_what_only_a_simulation_can_do_stays_out_when_not_wanted() -> None:
    for seed in range(50):
        config, operations = random_program(np.random.default_rng(seed), staged=False, limits=False)
        forks = [operation for operation in operations if isinstance(operation, Fork)]
        assert all(fork == Fork(fork.process) for fork in forks)
        assert not any(operation.op == "stage" for operation in operations)
        assert not config.stable_writes
        assert not config.memcg_limits
        assert config.frames >= 1 << 14


def test_shrinker_finds_a_planted_core() -> None:
    def fails(candidate: list[Operation]) -> bool:
        written = {
            (operation.process, page)
            for operation in candidate
            if isinstance(operation, Write)
            for page in pages_of(operation)
        }
        return any(
            isinstance(operation, Protect) and (operation.process, page) in written
            for operation in candidate
            for page in pages_of(operation)
        )

    failing = [found for found in map(program, range(40)) if fails(found)]
    assert len(failing) > 10
    for found in failing:
        smallest = shrink(found, fails)
        assert Counter(operation.op for operation in smallest) - Counter(["spawn", "fork"] * 4) == Counter(
            ["write", "protect"]
        )
        assert all(len(pages_of(operation)) <= 1 for operation in smallest)
        assert fails(smallest)


def test_shrinker_finds_a_leak_no_longer_than_its_vector() -> None:
    def leaks(candidate: list[Operation]) -> bool:
        twin = Twin("mapcount", {}, config)
        for _ in steps(candidate, twin):
            pass
        return twin.ledger.leaks > 0

    for seed in range(400):
        config, operations = random_program(np.random.default_rng(seed), staged=False, limits=False)
        if leaks(operations):
            smallest = shrink(operations, leaks)
            assert len(smallest) <= 7
            return
    pytest.fail("no random program leaked")


def test_leaving_out_renumbers_what_is_left() -> None:
    page = range(1)
    whole = [Spawn(), Spawn(), Write(Process(0), page), Get(Process(0), page), Get(Process(1), page), Fork(Process(1))]
    whole += [Write(Process(2), page), Release(Reference(1)), Release(Reference(0))]
    assert without(whole, operations=[0]) == [
        *[Spawn(), Get(Process(0), page), Fork(Process(0)), Write(Process(1), page), Release(Reference(0))]
    ]
