"""Observations of the model, and the first difference between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from cowbench import operations as ops
from cowbench import spec
from cowbench.compare import first_difference
from cowbench.expected import expect
from cowbench.generator import random_program
from cowbench.machine import MachineConfig, Process, Reference
from cowbench.observation import ABSENT, SWAPPED, ZERO_PAGE, Observation, Step
from cowbench.operations import Operation
from cowbench.policy import Policy
from tests.twin import Twin

P, C = Process(0), Process(1)
ONE = range(1)


def policy(text: str) -> Policy:
    built: Policy = spec.parse("policy", text).build()
    return built


def seen(text: str, *operations: Operation, config: MachineConfig | None = None) -> Observation:
    return expect(policy(text), config or MachineConfig(), operations)


def changes(step: Step) -> list[tuple[int, int, int]]:
    """Return (process, page, frame), frames as 0 because their numbers mean nothing."""
    return [(int(a), int(b), min(int(c), 0)) for a, b, c in zip(step.process, step.page, step.frame, strict=True)]


def renumbered(observation: Observation, rng: np.random.Generator) -> Observation:
    """Return what another machine would tell of the same: other frame numbers."""
    names = rng.permutation(1 << 15) + 7

    def other(step: Step) -> Step:
        return replace(step, frame=np.where(step.frame >= 0, names[step.frame], step.frame))

    return Observation(tuple(map(other, observation.steps)))


def test_a_step_lists_what_changed_its_place_and_what_was_read() -> None:
    steps = seen(
        "mapcount",
        ops.Spawn(),
        ops.Write(P, range(2)),
        ops.Read(P, range(1, 3)),
        ops.Fork(P),
        ops.Write(C, ONE),
        ops.Discard(P, range(3)),
        ops.PageOut(C, ONE),
        ops.Exit(P),
    ).steps
    assert [changes(step) for step in steps] == [
        [],
        [(0, 0, 0), (0, 1, 0)],
        [(0, 2, ZERO_PAGE)],
        [(1, 0, 0), (1, 1, 0), (1, 2, ZERO_PAGE)],
        [(1, 0, 0)],
        [(0, 0, ABSENT), (0, 1, ABSENT), (0, 2, ABSENT)],
        [(1, 0, SWAPPED)],
        [],
    ]
    assert steps[2].tokens.tolist() == [2, 0]
    assert steps[3].frame[:2].tolist() == steps[1].frame.tolist()
    assert steps[4].frame[0] not in steps[1].frame
    assert not any(len(step.tokens) for step in steps if step is not steps[2])


def test_devices_read_elements_in_order_and_orphans_too() -> None:
    pages = np.array([1, 0, 1])
    steps = seen(
        "mapcount",
        ops.Spawn(),
        ops.Write(P, ONE),
        ops.Write(P, range(1, 2)),
        ops.Get(P, pages),
        ops.Exit(P),
        ops.DeviceRead(Reference(0)),
    ).steps
    assert steps[-1].tokens.tolist() == [3, 2, 3]


def test_failures_are_told_and_the_rest_of_the_program_goes_on() -> None:
    config = MachineConfig(frames=2)
    steps = seen(
        *("has_pinned", ops.Spawn(), ops.Write(P, range(3)), ops.Read(P, range(3))),
        *(ops.Pin(P, ONE, longterm=True), ops.Fork(P), ops.Write(C, ONE), ops.Read(P, ONE)),
        config=config,
    ).steps
    assert [step.failed for step in steps] == ["", "out of frames", "", "", "fork failed", "", ""]
    assert steps[2].tokens.tolist() == [2, 2, 0]
    assert changes(steps[4]) == changes(steps[5]) == []


@pytest.mark.parametrize("seed", range(30))
def test_other_frame_numbers_are_no_difference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    config, program = random_program(rng, pages=20, operations=40)
    observation = expect(policy("anon_exclusive"), config, program)
    assert first_difference(program, observation, renumbered(observation, rng)) is None


def test_a_reused_number_is_no_sharing_and_no_return() -> None:
    """Frame 5 is freed by the discard and serves another page of the second machine."""
    program: list[Operation] = [ops.Spawn(), ops.Write(P, ONE), ops.Discard(P, ONE), ops.Write(P, range(2))]
    one, other = _step(0, [0], [5]), _step(0, [0], [ABSENT])
    first = Observation((_step(0, [], []), one, other, _step(0, [0, 1], [6, 7])))
    second = Observation((_step(0, [], []), one, other, _step(0, [0, 1], [7, 5])))
    assert first_difference(program, first, second) is None


def _step(process: int, pages: list[int], frames: list[int], tokens: Sequence[int] = ()) -> Step:
    return Step(np.full(len(pages), process), np.array(pages, int), np.array(frames, int), np.array(tokens, np.int64))


def test_a_needless_copy_is_found_where_it_happens() -> None:
    """V11: a page in the LRU batch, write-protected: page_count copies it, mapcount does not."""
    program = [ops.Spawn(), ops.Write(P, ONE), ops.Protect(P, ONE), ops.Write(P, ONE), ops.Exit(P)]
    found = first_difference(program, seen("mapcount", *program), seen("page_count", *program), ("old", "new"))
    assert found is not None
    assert (found.step, found.kind) == (3, "moved")
    assert found.words == (
        "after operation 4, process 0 writes page 0: page 0 of process 0, old: still in its frame; "
        "new: copied to another frame"
    )


def test_a_leak_is_found_by_the_sharing_and_without_frames_by_the_token() -> None:
    program = [ops.Spawn(), ops.Write(P, ONE), ops.Fork(P), ops.Write(P, ONE), ops.Read(C, ONE)]
    pair = seen("mapcount", *program), seen("always_reuse", *program)
    found, blind = first_difference(program, *pair), first_difference(program, *pair, frames=False)
    assert found is not None
    assert blind is not None
    assert (found.step, found.kind) == (3, "moved")
    assert (blind.step, blind.kind) == (4, "read")
    assert "model: what operation 2 stored; kernel: what operation 4 stored" in blind.words


def test_whose_frame_it_is_counts_not_only_how_many_moved() -> None:
    """Both machines move page 0 of one process, but on the second it joins the wrong neighbour."""
    program = [ops.Spawn(), ops.Spawn(), ops.Spawn(), ops.Read(P, ONE)]
    none = _step(0, [], [])

    def end(*frames: int) -> Observation:
        step = Step(np.arange(3), np.zeros(3, int), np.array(frames), np.zeros(0, np.int64))
        return Observation((none, none, none, step))

    assert first_difference(program, end(4, 4, 5), end(9, 9, 1)) is None
    found = first_difference(program, end(4, 4, 5), end(9, 1, 9))
    assert found is not None
    assert found.kind == "sharing"
    assert found.words.endswith(
        "the frame of page 0 of process 1, model: shared with page 0 of process 0; "
        "kernel: shared with no page before it"
    )


def test_kinds_of_places_and_failures_differ() -> None:
    program = [ops.Spawn(), ops.Read(P, ONE)]
    first = Observation((_step(0, [], []), _step(0, [0], [ZERO_PAGE], [0])))
    second = Observation((_step(0, [], []), _step(0, [0], [3], [0])))
    found = first_difference(program, first, second)
    assert found is not None
    assert found.kind == "place"
    assert "model: on the zero page; kernel: in a frame" in found.words
    third = Observation((_step(0, [], []), replace(first.steps[1], failed="killed")))
    failed = first_difference(program, first, third)
    assert failed is not None
    assert failed.kind == "failed"
    assert "kernel: not carried out to its end (killed)" in failed.words


def test_observations_of_another_program_are_refused() -> None:
    program = [ops.Spawn(), ops.Read(P, ONE)]
    with pytest.raises(ValueError, match="1 and 2 steps of 2 operations"):
        first_difference(program, seen("mapcount", program[0]), seen("mapcount", *program))


@pytest.mark.parametrize("seed", range(20))
def test_the_twin_shows_the_same_places(seed: int) -> None:
    """The scalar twin knows nothing of how the model keeps its pages."""
    config, program = random_program(np.random.default_rng([7, seed]), pages=20, limits=False)
    observation = expect(policy("anon_exclusive"), config, program)
    twin, places = Twin("anon_exclusive", {}, config), dict[tuple[int, int], int]()
    for operation, step in zip(program, observation.steps, strict=True):
        operation.apply(twin)
        if isinstance(operation, ops.Exec | ops.Exit):
            places = {key: kind for key, kind in places.items() if key[0] != operation.process}
        places |= {(p, page): kind for p, page, kind in changes(step)}
        assert {key: kind for key, kind in places.items() if kind != ABSENT} == _twin_places(twin)


def _twin_places(twin: Twin) -> dict[tuple[int, int], int]:
    kinds = {"present": 0, "zero": ZERO_PAGE, "swap": SWAPPED}
    return {
        (handle, page): kinds[entry[0]]
        for handle, process in twin.snapshot()["processes"].items()
        if process["alive"]
        for page, entry in process["pages"].items()
    }
