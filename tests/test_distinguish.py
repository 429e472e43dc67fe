"""Searching a shortest program that tells two policies apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cowbench import operations as ops
from cowbench import spec
from cowbench.abilities import ABILITIES, Ability, checked, missing, needs
from cowbench.alphabet import START, continuations
from cowbench.cli import cli
from cowbench.compare import first_difference
from cowbench.distinguish import SMALL, distinguish
from cowbench.errors import ParameterError
from cowbench.expected import Watched, expect
from cowbench.generator import random_program
from cowbench.machine import Process
from cowbench.operations import Operation, encode
from cowbench.pair import Pair
from cowbench.policy import Policy
from cowbench.program_file import read_header, read_operations
from cowbench.simulated.fingerprint import fingerprint

ONE = range(1)
P, C = Process(0), Process(1)


def policy(text: str) -> Policy:
    built: Policy = spec.parse("policy", text).build()
    return built


def ops_of(program: tuple[Operation, ...]) -> list[str]:
    return [operation.op for operation in program]


def test_mapcount_and_page_count_part_over_a_page_in_an_lru_batch() -> None:
    """V11, found: four operations, and none of three or fewer."""
    search = distinguish(policy("mapcount"), policy("page_count"))
    assert search.found is not None
    assert ops_of(search.found.program) == ["spawn", "write", "protect", "write"]
    assert search.found.difference.kind == "moved"
    assert search.proof() == "none over the alphabet is shorter"


def test_the_sticky_bit_and_the_counter_part_when_every_pin_is_gone() -> None:
    """F23: a pin taken and released, and so many references that the page looks pinned; then fork."""
    search = distinguish(policy("has_pinned"), policy("pin_counter"), ("long_pin", "read_get"), budget=4000)
    assert search.found is not None
    names = ops_of(search.found.program)
    assert len(names) <= 7
    assert {"pin", "release", "get"} < set(names)
    assert names[-1] == "fork"
    assert search.found.difference.kind == "sharing"


def test_presets_of_one_rule_part_where_6_2_broke_the_zero_page() -> None:
    search = distinguish(policy("anon_exclusive:kernel=6.1"), policy("anon_exclusive:kernel=6.6"))
    assert search.found is not None
    assert ops_of(search.found.program) == ["spawn", "pin"]
    assert search.found.program[1] == ops.Pin(P, ONE, write=False, longterm=True)


def test_the_same_rule_is_never_told_apart_and_the_search_says_how_far_it_looked() -> None:
    search = distinguish(policy("mapcount"), policy("mapcount"), budget=800)
    assert search.found is None
    assert search.tried == 800
    assert search.length == 2


def test_a_rule_that_shows_nowhere_is_not_told_apart() -> None:
    """Faults are saved from 6.1 on when mprotect maps writable; where pages are does not tell."""
    assert (
        distinguish(policy("anon_exclusive:kernel=5.19"), policy("anon_exclusive:kernel=6.1"), budget=1000).found
        is None
    )


@pytest.mark.parametrize("abilities", [("read_get",), ("long_pin", "read_get", "second_cpu")])
def test_programs_keep_to_what_a_machine_can_stage(abilities: tuple[Ability, ...]) -> None:
    """mapcount and page_count_5_18 differ in a pin as well, which comes first in the alphabet."""
    search = distinguish(policy("mapcount"), policy("page_count_5_18"), abilities)
    assert search.found is not None
    assert not missing(search.found.program, abilities)


def test_it_is_a_function_of_its_arguments_also_where_it_draws() -> None:
    """With a budget this small the systematic part finds nothing, so the random one does."""
    pair = policy("has_pinned"), policy("page_count")
    first, again = (distinguish(*pair, budget=130, abilities=("long_pin", "read_get")) for _ in range(2))
    assert first.found is not None
    assert again.found is not None
    assert list(map(encode, first.found.program)) == list(map(encode, again.found.program))
    assert first.tried == again.tried
    assert first.tried > 65


def test_what_it_shows_is_what_the_program_does() -> None:
    pair = policy("page_count"), policy("page_count_5_18")
    found = distinguish(*pair).found
    assert found is not None
    seen = [expect(one, SMALL, found.program) for one in pair]
    difference = first_difference(found.program, seen[0], seen[1])
    assert difference is not None
    assert difference.step == len(found.program) - 1
    assert difference.outcomes == found.difference.outcomes


@pytest.mark.parametrize("seed", range(12))
def test_equal_digests_mean_equal_futures(seed: int) -> None:
    """Two programs that lead to one digest go on alike: other frame numbers, tokens and handles are no state."""
    rng = np.random.default_rng(seed)
    roundabout: list[Operation] = [ops.Spawn(), ops.Write(P, ONE), ops.Discard(P, ONE), ops.Fork(P), ops.Exit(C)]
    roundabout += [ops.Drain(0), ops.Write(P, ONE)]
    direct: list[Operation] = [ops.Spawn(), ops.Write(P, ONE)]
    kept = policy("has_pinned:variant=5.17")
    machines = Watched(kept, SMALL), Watched(kept, SMALL)
    for machine, program in zip(machines, (roundabout, direct), strict=True):
        for operation in program:
            machine.apply(operation)
    assert fingerprint(machines[0].machine) == fingerprint(machines[1].machine)
    program = list(START)
    for _ in range(6):
        choices = [o for o in continuations(program, ONE, frozenset(ABILITIES)) if not isinstance(o, ops.Fork)]
        program.append(choices[int(rng.integers(len(choices)))])
        steps = [machine.apply(program[-1]) for machine in machines]
        assert np.minimum(steps[0].frame, 0).tolist() == np.minimum(steps[1].frame, 0).tolist()
        assert fingerprint(machines[0].machine) == fingerprint(machines[1].machine)


def test_the_digest_sees_what_decides() -> None:
    """Each program ends in a state of its own: references, marks, batches, CPUs and the policy's memory count."""
    start: list[Operation] = [ops.Spawn(), ops.Write(P, ONE)]
    ends: list[list[Operation]] = [
        [],
        [ops.Drain(0)],
        [ops.Move(P, 1)],
        [ops.Protect(P, ONE)],
        [ops.Protect(P, ONE, tracked=True)],
        [ops.Dontfork(P, ONE)],
        [ops.Get(P, ONE)],
        [ops.Get(P, ONE, coherent=False)],
        [ops.Pin(P, ONE)],
        [ops.Pin(P, ONE, longterm=True)],
        [ops.Pin(P, ONE), ops.Release(0)],  # type: ignore[arg-type]
        [ops.PageOut(P, ONE)],
        [ops.PageOut(P, ONE, drop=True)],
        [ops.Discard(P, ONE)],
        [ops.Read(P, range(1, 2))],
        [ops.Fork(P)],
        [ops.Fork(P), ops.Move(C, 1)],
        [ops.Fork(P), ops.Write(C, ONE)],
    ]
    digests = set()
    for end in ends:
        machine = Watched(policy("has_pinned"), SMALL)
        for operation in start + end:
            machine.apply(operation)
        digests.add(fingerprint(machine.machine))
    assert len(digests) == len(ends)


def test_a_frozen_pair_goes_on_as_if_it_had_not_been() -> None:
    config, program = random_program(np.random.default_rng(5), pages=20, limits=False)
    policies = policy("mapcount"), policy("mapcount")
    straight, frozen = Pair(policies, config), Pair(policies, config)
    for operation in program:
        straight.apply(operation)
        frozen = frozen.freeze().thaw()
        frozen.apply(operation)
    assert straight.state() == frozen.state()
    assert not frozen.differs


def test_needs_name_what_only_some_machines_can() -> None:
    assert needs(ops.PageOut(P, ONE, drop=True)) == {"swap", "drop"}
    assert needs(ops.Fork(P)) == needs(ops.Protect(P, ONE)) == frozenset()
    assert needs(ops.Fork(P, fail_at=1)) == {"simulation"}
    assert missing([ops.Pin(P, ONE), ops.Get(P, ONE)], ["short_pin"]) == {"read_get"}
    with pytest.raises(ParameterError, match="no ability 'swop': did you mean 'swap'"):
        checked(["swop"])


def test_the_command_shows_the_program_and_both_outcomes(tmp_path: Path) -> None:
    file = tmp_path / "program.jsonl"
    result = CliRunner().invoke(cli, ["distinguish", "mapcount", "page_count", "-o", str(file)])
    assert result.exit_code == 0
    assert "  4  process 0 writes page 0\n" in result.output
    assert "  mapcount: still in its frame\n  page_count: copied to another frame\n" in result.output
    assert [operation.op for operation in read_operations(file)] == ["spawn", "write", "protect", "write"]
    assert read_header(file) == SMALL


def test_the_command_says_when_it_found_none() -> None:
    result = CliRunner().invoke(cli, ["distinguish", "mapcount", "mapcount", "--budget", "500"])
    assert result.exit_code == 1
    assert "no difference found in 500 programs" in result.output
    assert CliRunner().invoke(cli, ["distinguish", "mapcount", "page_count", "--abilities", "x"]).exit_code == 2
