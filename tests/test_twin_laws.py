"""Laws that the scalar twin keeps on random programs, whatever the policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cowbench.generator import random_program, steps
from cowbench.machine import During, MachineConfig, Process, Reference
from cowbench.operations import Drain, Exit, Fork, Operation, Release, Spawn, Write
from tests.canonical import canonical
from tests.twin import Twin

Spec = tuple[str, dict[str, Any]]
SPECS: list[Spec] = [
    ("always_reuse", {}),
    ("eager_copy", {"on_failure": "share"}),
    ("mapcount", {}),
    ("forced_cow", {}),
    ("page_count", {}),
    ("has_pinned", {"variant": "5.9", "charge": "child"}),
    ("has_pinned", {"variant": "5.11", "gfp": "atomic"}),
    ("has_pinned", {"variant": "5.17", "on_failure": "share"}),
    ("longterm_only", {}),
    ("pin_counter", {}),
    ("pin_exact", {}),
    ("page_count_5_18", {"gfp": "atomic", "on_failure": "share"}),
    *[("anon_exclusive", {"kernel": kernel}) for kernel in ("5.19", "6.1", "6.6", "6.12", "6.19", "7.0", "7.3")],
    ("anon_exclusive", {"freeze_writers": True}),
    ("oracle", {}),
]
LEAVES_IDLE_SWAP_CACHE = {"mapcount", "forced_cow", "page_count", "has_pinned"}
"""Kernels before f4c4a3f48480 leave a page in the swap cache after it was copied, until reclaim finds it."""
SEEDS = range(40)


def runs(spec: Spec, **options: bool) -> Iterator[tuple[Twin, list[Operation]]]:
    """Fresh twins with a random program each, not yet run."""
    for seed in SEEDS:
        config, program = random_program(np.random.default_rng(seed), **options)
        yield Twin(*spec, config), program


def finish(twin: Twin, program: list[Operation]) -> None:
    for _ in steps(program, twin):
        pass


every_spec = pytest.mark.parametrize(
    "spec", SPECS, ids=[f"{name}-{'-'.join(map(str, parameters.values()))}" for name, parameters in SPECS]
)


def entries(state: dict[str, Any]) -> Iterator[tuple[int, int, tuple[Any, ...]]]:
    for process, facts in state["processes"].items():
        for page, entry in facts["pages"].items():
            yield process, page, entry


def check_counts(state: dict[str, Any], config: MachineConfig) -> None:
    """Every count is the sum of its parts."""
    mapped = Counter(entry[1] for _, _, entry in entries(state) if entry[0] == "present")
    swapped = Counter(entry[1] for _, _, entry in entries(state) if entry[0] == "swap")
    queued = Counter(frame for batch in state["batches"].values() for frame in batch)
    held: Counter[int] = Counter()
    for reference in state["references"].values():
        held.update(
            {
                frame: count * (1024 if reference["kind"] == "pin" else 1)
                for frame, count in Counter(reference["frames"]).items()
            }
        )
    for number, frame in state["frames"].items():
        parts = mapped[number] + queued[number] + held[number] + (frame["slot"] is not None) + frame["speculative"]
        assert frame["refcount"] == parts > 0
        assert frame["mapcount"] == mapped[number]
        assert (frame["batch"] is not None) == bool(queued[number]) <= 1
        assert frame["slot"] is None or state["slots"][frame["slot"]]["frame"] == number
        assert frame["slot"] is not None or not frame["writeback"]
    for number, slot in state["slots"].items():
        assert slot["count"] == swapped[number]
        assert slot["count"] or slot["frame"]
    assert Counter(frame["memcg"] for frame in state["frames"].values()) == Counter(state["charges"])
    assert len(state["frames"]) + state["free"] == config.frames
    assert all(charge <= config.memcg_limits.get(group, charge) for group, charge in state["charges"].items())


@every_spec
def test_counts_are_the_sum_of_their_parts(spec: Spec) -> None:
    for twin, program in runs(spec):
        for index, _ in enumerate(steps(program, twin)):
            if index % 3 == 2:
                check_counts(twin.snapshot(), twin.state.config)
        check_counts(twin.snapshot(), twin.state.config)


@every_spec
def test_sites_and_causes_add_up(spec: Spec) -> None:
    for twin, program in runs(spec):
        finish(twin, program)
        counts = twin.ledger
        assert sum(counts.causes.values()) == sum(counts.false_positives.values())
        assert all(counts.false_positives[site] <= copies for site, copies in counts.copies.items())
        assert counts.copies["fork"] == counts.charged_parent + counts.charged_child
        assert counts.copies["fork"] == sum(fork.early_copies for fork in counts.forks)
        assert counts.faults.reuse + counts.pin_faults.reuse == counts.reuses
        if spec[0] == "always_reuse":
            assert sum(counts.copies.values()) == 0


@every_spec
def test_nothing_stays_charged_when_all_is_over(spec: Spec) -> None:
    for twin, program in runs(spec, staged=False):
        finish(twin, program)
        for number, facts in twin.snapshot()["processes"].items():
            if facts["alive"]:
                Exit(Process(number)).apply(twin)
        for number in twin.snapshot()["references"]:
            Release(Reference(number)).apply(twin)
        for cpu in range(twin.state.config.cpus):
            Drain(cpu).apply(twin)
        check_all_gone(twin.snapshot(), spec[0])


def check_all_gone(state: dict[str, Any], policy: str) -> None:
    if policy in LEAVES_IDLE_SWAP_CACHE:
        for frame in state["frames"].values():
            assert (frame["refcount"], state["slots"][frame["slot"]]["count"]) == (1, 0)
    else:
        assert (state["frames"], state["slots"], state["charges"]) == ({}, {}, {})


def test_the_oracle_never_errs() -> None:
    for seed in range(400):
        config, program = random_program(np.random.default_rng(seed))
        twin = Twin("oracle", {}, config)
        finish(twin, program)
        counts = twin.ledger
        assert sum(counts.false_positives.values()) == 0
        assert counts.leaks == counts.lost_pins == counts.lost_gets == counts.lost_pins_documented == 0
        assert counts.missed_early_copies == 0


@pytest.mark.parametrize("kernel", ["5.19", "6.1", "6.6", "6.12", "6.19", "7.0", "7.3"])
def test_exclusive_pages_keep_their_invariants(kernel: str) -> None:
    for twin, program in runs(("anon_exclusive", {"kernel": kernel})):
        for _ in steps(program, twin):
            check_exclusive(twin.snapshot())


def check_exclusive(state: dict[str, Any]) -> None:
    """A writable page is exclusive, an exclusive page is mapped once, a pinned page is exclusive."""
    pages = {(process, page): entry for process, page, entry in entries(state)}
    for entry in pages.values():
        if entry[0] == "present":
            _, frame, write, exclusive, *_ = entry
            assert exclusive or not write
            assert not exclusive or state["frames"][frame]["mapcount"] == 1
    for reference in state["references"].values():
        for page, leading in zip(reference["pages"], reference["leading"], strict=True):
            entry = pages.get((reference["owner"], page), ())
            if leading and reference["kind"] == "pin" and entry[0] == "present":
                assert entry[3]


@every_spec
def test_frozen_snapshots_and_those_without_early_copies_are_never_torn(spec: Spec) -> None:
    early = spec[0] not in ("always_reuse", "mapcount", "forced_cow", "page_count")
    for twin, program in runs(spec):
        finish(twin, program)
        assert twin.ledger.torn_snapshots == 0 or (early and "freeze_writers" not in spec[1])


def renumbered(state: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """The same state with other frame and slot numbers."""
    frames = {
        0: 0,
        None: None,
        **dict(zip(state["frames"], (rng.permutation(len(state["frames"])) + 7).tolist(), strict=True)),
    }
    slots = {None: None, **dict(zip(state["slots"], (rng.permutation(len(state["slots"])) + 7).tolist(), strict=True))}

    def entry(old: tuple[Any, ...]) -> tuple[Any, ...]:
        names = {"present": frames, "swap": slots}.get(old[0])
        return (old[0], names[old[1]], *old[2:]) if names else old

    return {
        **state,
        "processes": {
            number: {**facts, "pages": {page: entry(old) for page, old in facts["pages"].items()}}
            for number, facts in state["processes"].items()
        },
        "frames": {frames[old]: {**frame, "slot": slots[frame["slot"]]} for old, frame in state["frames"].items()},
        "slots": {slots[old]: {**slot, "frame": frames[slot["frame"]]} for old, slot in state["slots"].items()},
        "batches": {cpu: [frames[old] for old in batch] for cpu, batch in state["batches"].items()},
        "references": {
            number: {**reference, "frames": [frames[old] for old in reference["frames"]]}
            for number, reference in state["references"].items()
        },
    }


def test_canonical_states_forget_numbers_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    for twin, program in runs(("mapcount", {})):
        finish(twin, program)
        state = twin.snapshot()
        plain = canonical(state)
        assert canonical(renumbered(state, rng)) == plain
        assert canonical(plain) == plain
        for number in state["frames"]:
            changed = {**state, "frames": {**state["frames"], number: {**state["frames"][number], "token": -1}}}
            assert canonical(changed) != plain


def test_a_waiting_write_keeps_its_number() -> None:
    twin = Twin("mapcount", {}, MachineConfig())
    pages = range(2)
    program = [
        Spawn(),
        Write(Process(0), pages),
        Fork(Process(0), during=(During(1, "write", pages),)),
        Write(Process(0), range(1)),
    ]
    finish(twin, program)
    seen = twin.observe()
    assert [seen["process", process, page] for process in (0, 1) for page in pages] == [5, 4, 2, 2]
