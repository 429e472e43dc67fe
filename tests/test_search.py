"""The search of rules: the grammar says what policies do, one run stands for all alike, what leaks is rejected."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.random import SeedSequence

from cowbench import kernels, plugins, spec
from cowbench import operations as ops
from cowbench.check import check
from cowbench.compare import first_difference
from cowbench.errors import OutOfFrames, StudyError
from cowbench.expected import expect
from cowbench.generator import random_program
from cowbench.kernels import KernelFlags
from cowbench.ledger import Ledger
from cowbench.machine import During, MachineConfig, Process, Reference
from cowbench.operations import Operation
from cowbench.policy import Policy
from cowbench.report import proposal as shown
from cowbench.report.model import Figure, Table
from cowbench.search import proposal
from cowbench.search.grammar import FAMILIES, MARKED, PARTS, UNMARKED, Family, Part, Rule
from cowbench.search.outcome import (
    Example,
    Found,
    Placed,
    Proposal,
    Standing,
    found_from,
    placed_from,
    rule_named,
    to_json,
)
from cowbench.search.policy import Alike, OneRule
from cowbench.search.screening import CLASSES, REJECTED, A, C, Screening, losses
from cowbench.search.source import source
from cowbench.search.workloads import Costing, Point, copies
from cowbench.simulated import SimulatedMachine
from cowbench.store import Store
from cowbench.study import definition, searching

P, R = Process(0), Reference(0)
GUARDED = {"guard": "pins", "reclaim": "pins"}
SHIPPED: dict[str, tuple[Rule, KernelFlags]] = {
    "mapcount": (UNMARKED.rule(reuse="mapcount", swap_in="mapcount"), kernels.LINUX_5_7),
    "forced_cow": (UNMARKED.rule(reuse="mapcount", swap_in="mapcount", pin="break"), kernels.LINUX_5_8),
    "page_count": (UNMARKED.rule(reuse="count", swap_in="mapcount"), kernels.LINUX_5_9),
    "has_pinned": (
        UNMARKED.rule(reuse="count", swap_in="mapcount", fork="pinned@sticky", **GUARDED),
        kernels.LINUX_5_17,
    ),
    "pin_counter": (
        UNMARKED.rule(reuse="count", swap_in="mapcount", fork="pinned@counter", **GUARDED),
        kernels.LINUX_5_17,
    ),
    "pin_exact": (
        UNMARKED.rule(reuse="count", swap_in="mapcount", fork="exact@sticky", **GUARDED),
        kernels.LINUX_5_17,
    ),
    "page_count_5_18": (
        UNMARKED.rule(reuse="drained", swap_in="count", fork="pinned@sticky", **GUARDED),
        kernels.LINUX_5_17,
    ),
    "anon_exclusive": (
        MARKED.rule(
            reuse="mark|drained", swap_in="kept|count", fork="pinned@sticky", pin="pins_mark+longterm_zero", **GUARDED
        ),
        kernels.LINUX_6_19,
    ),
}


def programs(count: int, operations: int = 50, stream: int = 0) -> Iterator[tuple[MachineConfig, list[Operation]]]:
    for number in range(count):
        rng = np.random.default_rng(SeedSequence(7, spawn_key=(stream, number)))
        yield random_program(rng, operations=operations, pages=40)


def carried_out(policy: Policy, config: MachineConfig, program: Sequence[Operation]) -> Ledger:
    machine = SimulatedMachine(policy, config)
    for operation in program:
        try:
            operation.apply(machine)
        except OutOfFrames:
            continue
    return dataclasses.replace(machine.ledger, causes={})  # marks of the mm colour causes, and nothing else


def tiny(**choices: tuple[str, ...]) -> Family:
    """Return a family with few choices: those named, and of the other parts the first one."""
    known = UNMARKED.choices
    kept: dict[Part, tuple[str, ...]] = {part: choices.get(part, (known[part][0].name,)) for part in PARTS}
    return Family("unmarked", {part: tuple(c for c in known[part] if c.name in kept[part]) for part in PARTS})


@pytest.mark.parametrize("name", SHIPPED)
def test_the_grammar_says_what_a_policy_does(name: str) -> None:
    rule, base = SHIPPED[name]
    for config, program in programs(8):
        built, said = spec.parse("policy", name).build(), OneRule(rule, base)
        assert carried_out(built, config, program) == carried_out(said, config, program)
        seen = [expect(policy, config, program) for policy in (built, said)]
        assert first_difference(program, seen[0], seen[1], ("built in", "said")) is None


def test_the_programs_above_tell_neighbouring_rules_apart() -> None:
    """Else the test above could not fail."""
    for name, part, other in (
        ("mapcount", "reuse", "count"),
        ("page_count", "swap_in", "count"),
        ("has_pinned", "fork", "pinned@counter"),
        ("has_pinned", "guard", "gets"),
        ("anon_exclusive", "pin", "all_mark+longterm_zero"),
    ):
        rule, base = SHIPPED[name]
        names = dict(zip(PARTS, (choice.name for choice in rule.choices), strict=True)) | {part: other}
        changed = OneRule(rule.family.rule(**names), base)
        assert any(
            carried_out(OneRule(rule, base), *case) != carried_out(changed, *case) for case in programs(120, stream=1)
        ), (name, part)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_one_run_stands_for_all_rules_that_answer_alike(family: Family) -> None:
    rng = np.random.default_rng(3)
    everything = tuple(np.ones(size, np.bool_) for size in family.shape)
    spread = 0
    for config, program in programs(15, 20, stream=2):
        rule = Rule(family, tuple(int(rng.integers(size)) for size in family.shape))
        alike = Alike(rule, everything)
        wanted = carried_out(alike, config, program)
        assert carried_out(OneRule(rule), config, program) == wanted
        for _ in range(4):
            at = tuple(int(rng.choice(np.flatnonzero(choices))) for choices in alike.block)
            spread += at != rule.at
            assert carried_out(OneRule(Rule(family, at)), config, program) == wanted
    assert spread > 30


def test_a_leaky_rule_is_rejected_with_a_program_that_can_be_carried_out_again() -> None:
    family = tiny(reuse=("mapcount", "always"), fork=("none", "referenced"))
    screening = Screening(family)
    for config, program in proposal.cases():
        screening.program(config, program)
    planted = family.rule(reuse="always", fork="none")
    number = int(np.ravel_multi_index(planted.at, family.shape))
    assert screening.best[number] == REJECTED
    example = next(Example.of(one, 1) for one in screening.found if one.rule == planted)
    config, program = example.program()
    assert losses(OneRule(planted), config, program).leaks > 0
    assert (example.words, example.best) == ("leaks", REJECTED)
    assert [line.split()[0] for line in example.told] == [str(n) for n in range(1, len(program) + 1)]
    for left_out in range(1, len(program)):
        shorter = [one for index, one in enumerate(program) if index != left_out]
        try:
            assert losses(OneRule(planted), config, shorter).best > REJECTED, left_out
        except (IndexError, KeyError, ValueError):
            continue  # it lost the process it names


def test_the_leak_of_a_device_through_a_get_is_the_other_half_of_a_lost_get() -> None:
    rule = SHIPPED["anon_exclusive"][0]
    begin: list[Operation] = [ops.Spawn(), ops.Write(P, range(1))]
    through_get = [*begin, ops.Get(P, range(1), write=True), ops.Fork(P), ops.DeviceWrite(R)]
    found = losses(OneRule(rule), MachineConfig(frames=64), through_get)
    assert (found.leaks, found.get_leaks, found.best) == (0, 1, A)
    through_pin = [*begin, ops.Pin(P, range(1)), ops.Fork(P), ops.DeviceWrite(R)]
    found = losses(OneRule(SHIPPED["page_count"][0]), MachineConfig(frames=64), through_pin)
    assert (found.leaks, found.get_leaks, found.best) == (1, 0, REJECTED)


def test_a_class_counts_what_it_says() -> None:
    none = losses(OneRule(SHIPPED["mapcount"][0]), MachineConfig(frames=64), [ops.Spawn()])
    assert none.best == C
    bests = {
        name: dataclasses.replace(none, **{name: 1}).best
        for name in ("leaks", "lost_pins", "lost_gets", "get_leaks", "documented", "torn")
    }
    assert bests == {"leaks": 0, "lost_pins": 0, "lost_gets": 1, "get_leaks": 1, "documented": 2, "torn": 2}


RULES = {
    "plain": UNMARKED.rule(reuse="never"),
    "explained": UNMARKED.rule(
        *(),
        reuse="mapcount",
        fork="referenced",
        pin="all_mapped+zero",
        guard="gets",
        reclaim="gets",
        freeze="yes",
    ),
    "counting": UNMARKED.rule(
        reuse="explained|pinned", swap_in="explained", fork="exact@counter", pin="pins_mapped+longterm_zero"
    ),
    "eager": UNMARKED.rule(reuse="always", fork="all+swap", pin="break", guard="pins", reclaim="pins"),
    "marked": MARKED.rule(reuse="mapcount|mark", swap_in="count|waits", fork="counted", pin="all_mark+zero"),
    "as_6_19": SHIPPED["anon_exclusive"][0],
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_becomes_a_policy_file_that_keeps_the_contract_and_does_the_same(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"{name}.py"
    file.write_text(source(RULES[name], name))
    parsed = spec.parse("policy", str(file))
    assert [finding.problem for finding in check(parsed) if finding.problem] == []
    assert len(file.read_text().splitlines()) < 70
    for config, program in programs(8, stream=3):
        assert carried_out(parsed.build(), config, program) == carried_out(OneRule(RULES[name]), config, program)


def test_saved_rules_keep_the_contract() -> None:
    files = sorted((plugins.data_folder("studies") / "rules").glob("*.py"))
    assert files
    for file in files:
        parsed = spec.parse("policy", f"rules/{file.name}")
        assert (parsed.file, [finding.problem for finding in check(parsed) if finding.problem]) == (str(file), [])


SOME = [spec.parse("workload", name) for name in ("many_references", "failed_fork", "rdma_hidden_fork", "stream")]
FEW = {"reuse": ("mapcount", "count", "drained"), "fork": ("none", "pinned@sticky", "exact", "referenced")}


def test_the_front_is_the_one_that_counting_every_rule_to_the_end_gives() -> None:
    screening = Screening(tiny(**FEW))
    screening.best[:] = np.arange(screening.family.size) % 3 + 1
    costing = Costing(screening, SOME)
    costing.finish()
    plain = [
        sum(copies(OneRule(screening.rule(n)), one).needless for one in SOME) for n in range(screening.family.size)
    ]
    points = [Point(int(screening.best[n]), screening.rule(n).bits, plain[n]) for n in range(screening.family.size)]
    best = {point for point in points if not any(other.covers(point) and other != point for other in points)}
    assert {costing.point(number) for number in costing.front()} == best
    assert costing.runs < len(SOME) * screening.family.size
    rivals = Costing(screening, SOME, [Point(C, 0, 0)])
    rivals.finish()
    assert (rivals.front(), rivals.runs) == ([], 0)


def test_state_is_summed_alike_for_one_rule_and_for_all() -> None:
    for family in FAMILIES:
        bits = family.bits().ravel()
        for number in np.random.default_rng(0).integers(family.size, size=200).tolist():
            at = tuple(int(i) for i in np.unravel_index(number, family.shape))
            assert bits[number] == Rule(family, at).bits
    assert SHIPPED["anon_exclusive"][0].bits == 2 * (1 << 18) + 33


@pytest.fixture(scope="module")
def found() -> Found:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposal, "workloads", lambda: SOME)
        patch.setattr(proposal, "SHORT", 20)
        patch.setattr(proposal, "MIDDLE", 2)
        return proposal.search(tiny(**FEW, pin=("none", "all_mapped+zero"), reclaim=("none", "gets")), 10)


def test_a_search_is_deterministic_and_survives_being_written(found: Found, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("workloads", lambda: SOME), ("SHORT", 20), ("MIDDLE", 2)):
        monkeypatch.setattr(proposal, name, value)
    again = proposal.search(tiny(**FEW, pin=("none", "all_mapped+zero"), reclaim=("none", "gets")), 10)
    assert to_json(found) == to_json(again)
    assert found_from(to_json(found)) == found


def test_every_rejected_rule_has_its_shortest_counter_example(found: Found) -> None:
    family = tiny(**FEW, pin=("none", "all_mapped+zero"), reclaim=("none", "gets"))
    assert found.at_least["A"] < found.rules == family.size
    assert found.at_least["A"] >= found.at_least["B"] >= found.at_least["C"]
    assert sum(example.rejects for example in found.examples) == found.rules - found.at_least["A"]
    assert 1 < found.distinct <= found.rules
    rejected = 0
    for number in range(family.size):
        rule = Rule(family, tuple(int(i) for i in np.unravel_index(number, family.shape)))
        example = found.why(rule)
        if example is None:
            continue
        rejected += 1
        assert losses(OneRule(rule), *example.program()).best == REJECTED
        shorter = found.examples[: found.examples.index(example)]
        assert all(losses(OneRule(rule), *one.program()).best > REJECTED for one in shorter)
    assert rejected == found.rules - found.at_least["A"]


def whole(found: Found) -> Proposal:
    front = (
        Standing(RULES["explained"].name, C, 32, ("s",), 250, 900, (("pinned_once", 240),)),
        Standing(UNMARKED.rule(reuse="count").name, A, 0, (), 90_000, 99_000),
    )
    unmarked = dataclasses.replace(found, front=front)
    marked = dataclasses.replace(
        found, family="marked", front=(Standing(RULES["marked"].name, C, 600_000, (), 300, 9),)
    )
    built_in = (
        Standing("mapcount", REJECTED, 0, (), 0, 5, why="leaks"),
        Standing("anon_exclusive", A, 524_321, (), 363, 7),
    )
    return Proposal((unmarked, marked), Placed(built_in, 10))


def test_a_front_keeps_what_nothing_beats(found: Found) -> None:
    searched = whole(found)
    assert [one.needless for one in searched.front("C")] == [250]
    told = [(one.words, one.told) for one in searched.examples]
    assert len(told) == len(set(told)) < len(found.examples) * 2
    assert sum(one.rejects for one in searched.examples) == 2 * (found.rules - found.at_least["A"])
    assert [one.needless for one in searched.front("A")] == [90_000, 250]
    assert list(searched.found()) == ["proposal_0", "proposal_32"]
    assert rule_named(searched.found()["proposal_32"].name) == RULES["explained"]
    assert set(searched.sources()) == {"proposal_0.py", "proposal_32.py"}
    assert searched.policy("mapcount").letter == "none"
    for name in ("unmarked:count", "other:count,never,none,none,none,none,no", "marked:count,a,b,c,d,e,f"):
        with pytest.raises(StudyError, match="no rule"):
            searched.why(name)


def test_the_report_draws_the_plane_and_tells_who_stands_where(found: Found) -> None:
    blocks = list(shown.blocks(whole(found), "q"))
    figure = next(block for block in blocks if isinstance(block, Figure))
    hints = [mark.hint for mark in figure.marks.values()]
    assert "proposal_32, class C: 250 needless, 32 bits" in hints
    assert "mapcount, class none: 0 needless, 0 bits" in hints
    tables = {block.name: block for block in blocks if isinstance(block, Table)}
    assert len(tables["q-standings"].rows) == 4
    assert len(tables["q-forced"].rows) == 2 * len(PARTS)
    assert list(shown.blocks(whole(found), "q")) == blocks


def test_pieces_are_kept_and_not_searched_again(found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = definition.parse("s", STUDY, "s")
    searched = whole(found)
    pieces = dict(zip(proposal.PIECES, (*searched.families, searched.placed), strict=True))
    asked: list[str] = []

    def piece(name: str, before: Sequence[Found], deep: int, say: object) -> object:
        asked.append(name)
        if len(asked) == 2:
            raise KeyboardInterrupt
        assert [one.family for one in before] == list(proposal.PIECES[: len(before)])
        return pieces[name]

    monkeypatch.setattr(proposal, "piece", piece)
    with Store(tmp_path / "s.db") as store:
        with pytest.raises(KeyboardInterrupt):
            searching.complete(study, store, print)
        assert searching.kept(store) is None
        searching.complete(study, store, print)
        searching.complete(study, store, print)
        assert searching.kept(store) == searched
        store.add_search("other", "marked", '{"of": "another version"}')
        assert searching.kept(store) is None
    assert asked == ["unmarked", "marked", "marked", "built-in policies"]
    assert placed_from(to_json(searched.placed)) == searched.placed
    searching.save(searched, tmp_path / "new" / "rules")
    assert sorted(file.name for file in (tmp_path / "new" / "rules").iterdir()) == ["proposal_0.py", "proposal_32.py"]
    with pytest.raises(StudyError, match="this study searches no rules"):
        searching.save(None, tmp_path)


STUDY = """
title = "Small"
[[question]]
name = "q"
asks = "Which?"
answer = "{search.rules}"
limits = "none"
search = 10
[[question.experiment]]
name = "e"
policies = ["mapcount"]
workloads = ["failed_fork"]
[[question.claim]]
says = "Some."
holds = "search.rules > 0"
"""


def test_a_search_of_less_than_nothing_is_one_line() -> None:
    with pytest.raises(StudyError, match="q: search=-1 must be a whole number from 0"):
        definition.parse("s", STUDY.replace("search = 10", "search = -1"), "s")


def test_gets_are_guarded_from_fork_and_reclaim_only_where_the_rule_says_so() -> None:
    begin: list[Operation] = [ops.Spawn(), ops.Write(P, range(1)), ops.Drain(0)]
    raced = [*begin, ops.Fork(P, during=(During(0, "get", range(1)),)), ops.Write(P, range(1))]
    out = [*begin, ops.Get(P, range(1), write=True), ops.PageOut(P, range(1))]
    for guard, lost in (("pins", 1), ("gets", 0)):
        rule = UNMARKED.rule(reuse="mapcount", fork="referenced", guard=guard)
        assert losses(OneRule(rule), MachineConfig(frames=64), raced).lost_gets == lost
    for reclaim, gone in (("pins", 1), ("gets", 0)):
        rule = UNMARKED.rule(reuse="mapcount", reclaim=reclaim)
        assert carried_out(OneRule(rule), MachineConfig(frames=64), out).paged_out == gone
    assert {letter: best for best, letter in CLASSES.items()} == {"A": 1, "B": 2, "C": 3}
