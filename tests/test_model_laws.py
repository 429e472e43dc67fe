"""Laws that hold on every program: bounds, the oracle, failed forks, conservation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cowbench.errors import OutOfFrames, ProgramError
from cowbench.generator import random_program
from cowbench.machine import Machine, MachineConfig, Process
from cowbench.operations import Drain, Exit, Fork, Operation, PageOut, Pin, Read, Release, Spawn, Write
from cowbench.simulated.process import ReferenceState
from tests.fuzzing import CHOICES
from tests.modelled import Modelled, modelled

EARLY = ("has_pinned", "page_count_5_18", "anon_exclusive", "oracle")


def carry_out(program: list[Operation], machine: Machine) -> None:
    for operation in program:
        try:
            operation.apply(machine)
        except OutOfFrames:
            continue


@pytest.mark.parametrize("seed", range(40))
def test_the_oracle_makes_no_mistake(seed: int) -> None:
    config, program = random_program(np.random.default_rng(seed))
    model = modelled("oracle", {}, config)
    carry_out(program, model)
    ledger = model.ledger
    assert sum(ledger.false_positives.values()) == sum(ledger.causes.values()) == 0
    mistakes = (ledger.leaks, ledger.lost_pins, ledger.lost_gets, ledger.lost_pins_documented)
    assert mistakes == (0, 0, 0, 0)
    assert ledger.missed_early_copies == 0


@pytest.mark.parametrize("seed", range(40))
def test_always_reuse_never_copies(seed: int) -> None:
    config, program = random_program(np.random.default_rng(seed))
    model = modelled("always_reuse", {}, config)
    carry_out(program, model)
    assert sum(model.ledger.copies.values()) == 0


def forks_and_writes(seed: int) -> list[Operation]:
    """A settled program of fork, write and exit alone."""
    rng = np.random.default_rng(seed)
    program: list[Operation] = [Spawn(), Write(Process(0), range(40)), Drain(0)]
    live, born = [0], 1
    for _ in range(30):
        process = Process(int(rng.choice(live)))
        match rng.integers(4):
            case 0 if len(live) < 8:
                program.append(Fork(process))
                live.append(born)
                born += 1
            case 1 if process:
                program.append(Exit(process))
                live.remove(process)
            case _:
                program += [Write(process, rng.integers(0, 40, rng.integers(1, 30))), Drain(0)]
    return program


@pytest.mark.parametrize("policy", [name for name in CHOICES if name != "eager_copy"])
def test_nobody_copies_more_than_eager_copy(policy: str) -> None:
    for seed in range(25):
        program = forks_and_writes(seed)
        lazy, eager = modelled(policy, {}, MachineConfig()), modelled("eager_copy", {}, MachineConfig())
        carry_out(program, lazy)
        carry_out(program, eager)
        assert sum(lazy.ledger.copies.values()) <= sum(eager.ledger.copies.values())


def pinned_parent(policy: str) -> Modelled:
    """A parent with pinned, shared, swapped, zero and untouched pages; every pinned page is an early copy at fork."""
    model = modelled(policy, {}, MachineConfig(memcg_limits={1: 400}))
    carry_out(
        [
            Spawn(memcg=1),
            Write(Process(0), range(20)),
            Fork(Process(0)),
            Write(Process(0), range(10)),
            Read(Process(0), range(20, 24)),
            Write(Process(0), range(24, 30)),
            Drain(0),
            PageOut(Process(0), range(24, 27), drop=True),
            Pin(Process(0), range(2, 14)),
            Drain(0),
        ],
        model,
    )
    return model


@pytest.mark.parametrize("policy", EARLY)
def test_a_failed_fork_leaves_only_write_protection(policy: str) -> None:
    pinned = 12
    for attempt in range(1, pinned + 2):
        model = pinned_parent(policy)
        before = model.snapshot()
        model.fork(Process(0), fail_at=attempt)
        if attempt > pinned:
            assert not model.ledger.forks[-1].failed
            break
        assert model.ledger.forks[-1].failed
        model.drain(0)  # from 6.14 on, exit does not: the child's copies wait in the batch
        after = model.snapshot()
        stop = 2 + attempt - 1
        for page, entry in after["processes"][0]["pages"].items():
            assert entry == expected(before["processes"][0]["pages"][page], page < stop and not 2 <= page < 14)
        assert all(after[key] == before[key] for key in ("frames", "slots", "batches", "references", "charges", "free"))


def expected(entry: tuple[Any, ...], walked: bool) -> tuple[Any, ...]:
    """What a failed fork leaves of an entry: walked and not early-copied ones lose write and exclusive."""
    if not walked or entry[0] == "zero":
        return entry
    if entry[0] == "swap":
        return ("swap", entry[1], False, entry[3])
    return ("present", entry[1], False, False, *entry[4:])


@pytest.mark.parametrize("policy", CHOICES)
def test_nothing_is_left_when_all_are_gone(policy: str) -> None:
    for seed in range(15):
        config, program = random_program(np.random.default_rng(seed), staged=False)
        model = modelled(policy, {}, config)
        carry_out(program, model)
        for handle, reference in enumerate(model.references):
            if isinstance(reference, ReferenceState):
                Release(handle).apply(model)  # type: ignore[arg-type]
        for state in model.processes:
            if state.alive:
                model.exit(Process(state.handle))
        for cpu in range(config.cpus):
            model.drain(cpu)
        left = model.snapshot()
        if model.memory.flags.wp_copy_frees_idle_swapcache or policy in ("always_reuse", "eager_copy"):
            assert (left["frames"], left["slots"], left["charges"]) == ({}, {}, {})
            assert left["free"] == config.frames
        else:  # before 5.17 a copy left the old page idle in the swap cache until reclaim came by
            assert all((frame["refcount"], frame["mapcount"]) == (1, 0) for frame in left["frames"].values())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.write(7, range(3)), "there is no process 7"),
        (lambda m: m.write(0, range(0, 8, 2)), "range of step 1"),
        (lambda m: m.write(0, range(-1, 3)), "range of step 1"),
        (lambda m: m.write(0, np.array([0.5])), "one-dimensional integer array"),
        (lambda m: m.write(0, np.array([[1]])), "one-dimensional integer array"),
        (lambda m: m.write(0, np.array([-2, 1])), "page -2 is outside"),
        (lambda m: m.spawn(cpu=2), "cpu 2 is outside 0 to 1"),
        (lambda m: m.spawn(memcg=-1), "memory cgroup -1"),
        (lambda m: m.fork(0, fail_at=0), "fail_at=0 must be 1 or more"),
        (lambda m: m.release(0), "there is no reference 0"),
        (lambda m: m.device_write(m.get(0, range(1))), "taken for reading"),
        (lambda m: m.get(0, range(1), write=True, coherent=False), "a snapshot is for reading only"),
        (lambda m: m.stage(0, range(1), "melted", True), "unknown state 'melted'"),
        (lambda m: (m.exit(0), m.write(0, range(1))), "process 0 has exited"),
        (lambda m: [m.release(r) for r in [m.pin(0, range(1))] * 2], "was released"),
    ],
)
def test_impossible_operations_say_so(call: Any, message: str) -> None:
    model = modelled("has_pinned", {}, MachineConfig())
    model.spawn()
    with pytest.raises(ProgramError, match=message):
        call(model)


def test_an_empty_batch_does_nothing() -> None:
    model = modelled("anon_exclusive", {}, MachineConfig())
    process = model.spawn()
    before = model.snapshot()
    for pages in (range(5, 5), np.empty(0, np.int64)):
        model.write(process, pages)
        model.read(process, pages)
        model.protect(process, pages)
        model.discard(process, pages)
        model.dontfork(process, pages)
        model.page_out(process, pages)
        model.stage(process, pages, "locked", True)
        model.release(model.pin(process, pages))
    assert {**model.snapshot(), "processes": None} == {**before, "processes": None}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": 0}, "frames=0 must be a whole number from 1 to 536870911"),
        ({"frames": 1 << 29}, "frames=536870912 must be"),
        ({"frames": 1.5}, "frames=1.5 must be"),
        ({"frames": "many"}, "frames=many must be"),
        ({"cpus": 0}, "cpus=0 must be a whole number from 1 to 8"),
        ({"cpus": 9}, "cpus=9 must be"),
        ({"swap": "floppy"}, "swap=floppy must be one of disk, synchronous"),
        ({"stable_writes": "yes"}, "stable_writes=yes must be true or false"),
        ({"atomic_reserve": -5}, "atomic_reserve=-5 must be"),
        ({"memcg_limits": {0: -3}}, "memcg_limits of group 0=-3 must be"),
        ({"memcg_limits": {1 << 16: 3}}, "memory cgroup=65536 must be"),
    ],
)
def test_impossible_machines_say_so(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        MachineConfig(**values)


def test_a_reference_keeps_its_pages_when_the_caller_reuses_the_array() -> None:
    model = modelled("has_pinned", {}, MachineConfig())
    process, pages = model.spawn(), np.array([0, 1, 2])
    model.write(process, range(8))
    model.pin(process, pages)
    pages[:] = [5, 6, 7]
    model.fork(process)
    assert model.ledger.copies["fork"] == 3
    assert model.ledger.missed_early_copies == 0
