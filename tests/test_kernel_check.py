"""Random programs on kernel and model: on a stand-in that is the model itself, on this host and in a guest."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cowbench import plugins, spec
from cowbench.abilities import ABILITIES, Ability, missing
from cowbench.cli import cli
from cowbench.expected import expect
from cowbench.linux.check import Held, Outcome, check
from cowbench.linux.draw import CONFIG, LONGEST, draw
from cowbench.linux.era import ERAS, era
from cowbench.linux.opening import open_kernel
from cowbench.linux.wire import encode_program
from cowbench.machine import MachineConfig, Process
from cowbench.observation import Observation
from cowbench.operations import Dontfork, Exec, Operation, PageOut, Spawn
from cowbench.policy import Policy
from cowbench.program_file import read_operations
from tests.guests import cached_image

HOST_ABILITIES: tuple[Ability, ...] = ("long_pin", "read_get", "write_get", "second_cpu", "exec", "dontfork")


def policy(text: str) -> Policy:
    built: Policy = spec.parse("policy", text).build()
    return built


class Modelled:
    """A Kernel that is the model under a policy; every `noisy`-th program reads wrongly, but only once."""

    name, release, frames, emulated = "modelled", "6.19.0", True, False

    def __init__(self, followed: Policy, able: Sequence[Ability] = ABILITIES, noisy: int = 0) -> None:
        self._policy, self._able, self._noisy, self._count = followed, able, noisy, 0

    def abilities(self) -> dict[Ability, str]:
        return {ability: "" if ability in self._able else "not here" for ability in ABILITIES}

    def observe(self, operations: Sequence[Operation], config: MachineConfig | None = None) -> Observation:
        if missing(operations, self._able):
            return Observation((), "not here")
        self._count += 1
        seen = expect(self._policy, config or CONFIG, operations)
        if self._count != self._noisy:
            return seen
        return Observation((replace(seen.steps[0], tokens=np.array([7])), *seen.steps[1:]))

    def observe_many(self, programs: Iterable[tuple[MachineConfig, Sequence[Operation]]]) -> Iterator[Observation]:
        for config, operations in programs:
            yield self.observe(operations, config)

    def close(self) -> None:
        pass


def run(kernel: Modelled, followed: Policy, programs: int, seed: int = 0) -> Outcome:
    outcome = Outcome()
    check(Held(kernel, followed), seed, range(programs), outcome)
    return outcome


def test_a_kernel_that_follows_the_policy_shows_no_difference() -> None:
    rule = policy("anon_exclusive")
    outcome = run(Modelled(rule), rule, 60)
    assert (outcome.programs, outcome.findings) == (60, [])
    assert outcome.operations > 60 * 10
    assert outcome.not_applicable == {}


def test_another_rule_is_found_and_shrunk() -> None:
    outcome = run(Modelled(policy("page_count"), HOST_ABILITIES), policy("page_count_5_18"), 200)
    assert len(outcome.findings) == 5
    for finding in outcome.findings:
        assert not finding.fleeting
        assert finding.difference.step == len(finding.program) - 1
        assert len(finding.program) <= 8


def test_what_shows_once_only_is_told_and_not_shrunk() -> None:
    rule = policy("anon_exclusive")
    outcome = run(Modelled(rule, noisy=3), rule, 10)
    assert [(finding.number, finding.fleeting) for finding in outcome.findings] == [(2, True)]
    assert outcome.findings[0].difference.kind == "read"


def test_programs_keep_to_what_the_kernel_can_and_what_is_left_out_is_counted() -> None:
    able = Modelled(policy("mapcount"), HOST_ABILITIES).abilities()
    left_out: Counter[str] = Counter()
    programs = [draw(3, number, able, 31, left_out) for number in range(300)]
    assert not any(missing(program, HOST_ABILITIES) for program in programs)
    assert left_out["page_out: not here"] > 100
    assert left_out["device_write: nothing can be written through a pipe"] > 0
    lengths = [len(program) for program in programs]
    assert 20 <= np.mean(lengths) <= 30
    assert max(lengths) <= LONGEST
    assert {operation.op for program in programs for operation in program} >= {"fork", "pin", "get", "exit", "discard"}


def test_a_program_depends_on_seed_and_number_alone() -> None:
    able = Modelled(policy("mapcount")).abilities()
    assert str(draw(1, 5, able, 31, Counter())) == str(draw(1, 5, able, 31, Counter()))
    assert str(draw(1, 5, able, 31, Counter())) != str(draw(1, 6, able, 31, Counter()))
    assert str(draw(1, 5, able, 31, Counter())) != str(draw(2, 5, able, 31, Counter()))


def test_releases_have_their_era() -> None:
    eras = {release: era(release) for release in ("5.7.14", "5.8.1", "5.10.7", "5.10.223-1", "5.17-rc5", "5.18.12")}
    assert list(eras.values()) == [
        *("mapcount", "forced_cow", "has_pinned:variant=5.9", "has_pinned:variant=5.11", "has_pinned:variant=5.17"),
        "page_count_5_18",
    ]
    newer = ("5.19.0", "6.1.0-50-cloud-amd64", "6.12.117", "6.18.44", "6.19.14", "7.0.13", "7.3.4")
    assert era("5.10.0-32-cloud-amd64") == "has_pinned:variant=5.11"
    kernels = ["5.19", "6.1", "6.12", "6.19", "6.19", "7.0", "7.3"]
    assert [era(release).rpartition("=")[2] for release in newer] == kernels
    for _, text in ERAS:
        assert spec.parse("policy", text)


BROKEN = {
    "forgets the early copy": ("return fork.exclusive & rules.maybe_pinned(fork, extra=1)", "return fork.refcount < 0"),
    "counts mappings": (
        'return rules.reuse_exclusive(fault, close_bound=self.kernel == "7.3")',
        "return rules.reuse_by_mapcount(fault)",
    ),
    "never drains": (
        'return rules.reuse_exclusive(fault, close_bound=self.kernel == "7.3")',
        "return fault.exclusive | (fault.refcount == 1)",
    ),
}


@pytest.fixture
def host() -> None:
    _need(os.geteuid() == 0, "frame numbers need root")
    _need(shutil.which("cc") is not None, "the agent needs a C compiler")


@pytest.mark.parametrize("how", BROKEN)
def test_a_planted_bug_is_caught_on_this_host(how: str, host: None, tmp_path: Path) -> None:
    text = plugins.locate("policy", "anon_exclusive").read_text(encoding="utf-8")
    assert BROKEN[how][0] in text
    file = tmp_path / "planted.py"
    file.write_text(text.replace(*BROKEN[how]))
    arguments = [
        "kernel",
        "check",
        "--kernel",
        "host",
        "-n",
        "3000",
        "-q",
        "-p",
        str(file),
        "-o",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 1, result.output
    shortest = min(len(list(read_operations(found))) for found in (tmp_path / "out").iterdir())
    assert shortest <= 6
    assert "model: " in result.output


def test_the_host_follows_its_era(host: None) -> None:
    result = CliRunner().invoke(cli, ["kernel", "check", "--kernel", "host", "-n", "500", "-q", "--seed", "7"])
    assert result.exit_code == 0, result.output
    assert ", 0 differences" in result.output


def test_a_guest_follows_its_era() -> None:
    kernel = open_kernel(cached_image().name)
    try:
        outcome = Outcome()
        check(Held(kernel, policy(era(kernel.release))), 8, range(200), outcome)
    finally:
        kernel.close()
    assert [finding.difference.words for finding in outcome.findings] == []
    assert outcome.programs + sum(outcome.not_applicable.values()) == 200
    assert outcome.programs > 100


def test_a_page_out_is_one_call_whatever_is_repeated() -> None:
    """Two calls put the page into the batch of pages to rotate, whose reference made 6.12 copy it now and then."""
    twice, once = PageOut(Process(0), np.array([0, 0, 1])), PageOut(Process(0), range(2))
    assert encode_program([Spawn(), twice], guard=False)[-6:] == encode_program([Spawn(), once], guard=False)[-6:]


def _need(there: bool, reason: str) -> None:
    """Skip for want of a tool on a developer's machine; fail where tests are meant to run."""
    if not there:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def test_page_out_is_cut_to_what_a_batch_holds_and_kept_within_a_mapping() -> None:
    able, left_out = Modelled(policy("mapcount")).abilities(), Counter[str]()
    programs = [draw(4, number, able, 15, left_out) for number in range(300)]
    outs = [operation for program in programs for operation in program if isinstance(operation, PageOut)]
    assert max(len(operation.pages) for operation in outs) == 14
    assert sum(count for why, count in left_out.items() if why.startswith("page_out cut short")) > 10
    assert sum(count for why, count in left_out.items() if "several mappings" in why) > 10
    for program in programs:
        apart: dict[int, set[int]] = {}
        for operation in program:
            if isinstance(operation, Dontfork) and operation.process == 0:
                apart.setdefault(0, set()).update(map(int, operation.pages))
            if isinstance(operation, PageOut) and operation.process == 0 and apart.get(0):
                pages = set(map(int, operation.pages))
                assert pages <= apart[0] or not pages & apart[0]
            if isinstance(operation, Exec) and operation.process == 0:
                apart.clear()
