"""What a search came to, as data: where rules and policies stand, and the programs that rejected the others."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cowbench.errors import StudyError
from cowbench.machine import MachineConfig
from cowbench.operations import Operation, decode, encode
from cowbench.plugins import data_folder
from cowbench.program_file import first_line
from cowbench.search.grammar import FAMILIES, PARTS, Rule
from cowbench.search.screening import CLASSES, Counterexample
from cowbench.search.source import source
from cowbench.words import say_program


@dataclass(frozen=True)
class Standing:
    """A rule or policy on the plane: its class, what a kernel must remember for it, and what it copies.

    best: class (0 rejected, 1 A, 2 B, 3 C). bits: state for an address space of 1 GiB.
    by_workload: needless copies where there are any. why: what keeps a built-in policy out of the next class.
    """

    name: str
    best: int
    bits: int
    state: tuple[str, ...]
    needless: int
    copies: int
    by_workload: tuple[tuple[str, int], ...] = ()
    why: str = ""

    @property
    def letter(self) -> str:
        """The class as a letter, "none" if it is in none."""
        return CLASSES.get(self.best, "none")


@dataclass(frozen=True)
class Example:
    """A counter-example: what goes wrong, the rule it was found for, and how many rules it is the shortest for.

    best: the best class that a rule with these losses can be of. told: the program in words, a line each. file: the
    program as a program file. rejects: rules of which it is the shortest that keeps them out of class A.
    """

    words: str
    best: int
    told: tuple[str, ...]
    file: str
    rule: str
    rejects: int

    @classmethod
    def of(cls, one: Counterexample, rejects: int) -> Self:
        """Put a counter-example into words and into a program file."""
        lines = [first_line(one.config), *map(encode, one.program)]
        file = "".join(json.dumps(line) + "\n" for line in lines)
        told = tuple(say_program(one.program))
        return cls(one.losses.words, one.losses.best, told, file, one.rule.name, rejects)

    def program(self) -> tuple[MachineConfig, list[Operation]]:
        """Return the machine and the operations, to carry them out again."""
        header, *lines = map(json.loads, self.file.splitlines())
        machine = header["machine"]
        limits = {int(group): limit for group, limit in machine.get("memcg_limits", {}).items()}
        return MachineConfig(**{**machine, "memcg_limits": limits}), [decode(line) for line in lines]


@dataclass(frozen=True)
class Found:
    """What the search of one family came to.

    rules: how many it has. distinct: how many of them `told_apart` programs tell apart. at_least: how many are left in
    class A, B, C or a better one. left: for each class and part, the choices that some such rule takes. killers: for
    each rule the number of the shortest example that keeps it out of class A (-1: none), packed. runs: of programs, and
    of workloads. programs: that all rules were held against.
    """

    family: str
    rules: int
    distinct: int
    told_apart: int
    at_least: dict[str, int]
    left: dict[str, dict[str, list[str]]]
    front: tuple[Standing, ...]
    examples: tuple[Example, ...]
    killers: str
    runs: tuple[int, int]
    programs: int

    def why(self, rule: Rule) -> Example | None:
        """Return the shortest example found that keeps a rule out of class A, None if none was found."""
        packed = zlib.decompress(base64.b64decode(self.killers))
        number = np.frombuffer(packed, "<i2")[np.ravel_multi_index(rule.at, rule.family.shape)]
        return self.examples[number] if number >= 0 else None


def pack(killers: npt.NDArray[np.int16]) -> str:
    """Pack the numbers of examples into text."""
    return base64.b64encode(zlib.compress(killers.astype("<i2").tobytes(), 9)).decode()


@dataclass(frozen=True)
class Placed:
    """Where the built-in policies stand, and how many random programs they and the fronts were held against."""

    standings: tuple[Standing, ...]
    deep: int


@dataclass(frozen=True)
class Proposal:
    """The whole outcome: the families, and the built-in policies."""

    families: tuple[Found, ...]
    placed: Placed

    @property
    def built_in(self) -> tuple[Standing, ...]:
        """Where the built-in policies stand."""
        return self.placed.standings

    @property
    def deep(self) -> int:
        """How many random programs the fronts and the built-in policies were held against at last."""
        return self.placed.deep

    @property
    def rules(self) -> int:
        """How many rules there are."""
        return sum(found.rules for found in self.families)

    @property
    def distinct(self) -> int:
        """How many rules the programs told apart."""
        return sum(found.distinct for found in self.families)

    @property
    def runs(self) -> int:
        """Runs of programs and workloads, each for all rules that answer alike."""
        return sum(sum(found.runs) for found in self.families)

    @property
    def examples(self) -> tuple[Example, ...]:
        """All counter-examples, the shortest first; the same program for several rules once."""
        merged: dict[tuple[str, tuple[str, ...]], Example] = {}
        for example in (example for found in self.families for example in found.examples):
            key = (example.words, example.told)
            known = merged.get(key)
            rejects = example.rejects + (known.rejects if known else 0)
            merged[key] = dataclasses.replace(known or example, rejects=rejects)
        return tuple(sorted(merged.values(), key=lambda example: (len(example.told), example.told)))

    def left(self, letter: str) -> int:
        """How many rules are left in a class or a better one."""
        return sum(found.at_least[letter] for found in self.families)

    def front(self, letter: str) -> list[Standing]:
        """Return the rules of a class or a better one that none of them beats, the least state first."""
        least = next(best for best, known in CLASSES.items() if known == letter)
        some = [one for found in self.families for one in found.front if one.best >= least]
        some.sort(key=lambda one: (one.bits, one.needless))
        kept: list[Standing] = []
        for one in some:
            if not any(other.needless <= one.needless for other in kept):
                kept.append(one)
        return kept

    def found(self) -> dict[str, Standing]:
        """Return the rules on the fronts by the names of their policy files, from the least state on."""
        every = {one.name: one for letter in "CBA" for one in self.front(letter)}
        ordered = sorted(every.values(), key=lambda one: (one.bits, one.needless))
        return {f"proposal_{one.bits}": one for one in ordered}

    def sources(self) -> dict[str, str]:
        """Return the rules on the fronts as policy files: name of the file -> text."""
        return {f"{name}.py": source(rule_named(one.name), name) for name, one in self.found().items()}

    def unsaved(self) -> list[str]:
        """Return the policy files that are not in the folder of built-in studies as they were found."""
        folder = data_folder("studies") / "rules"
        kept = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.py")}
        found = self.sources()
        return [name for name in sorted(kept.keys() | found.keys()) if kept.get(name) != found.get(name)]

    def why(self, name: str) -> Example | None:
        """Return the shortest counter-example found that keeps a rule, by its name, out of class A, None if none was.

        Raises StudyError for a name that is no rule's.
        """
        rule = rule_named(name)
        return next(found for found in self.families if found.family == rule.family.name).why(rule)

    def policy(self, name: str) -> Standing:
        """Return where a built-in policy stands."""
        return next(one for one in self.built_in if one.name == name)

    def forced(self, letter: str, part: str) -> list[str]:
        """Return the choices of a part that rules of a class take, in both families."""
        found = (choice for one in self.families for choice in one.left[letter][part])
        return list(dict.fromkeys(found))


def rule_named(name: str) -> Rule:
    """Return the rule with a name such as "unmarked:count,mapcount,none,none,none,none,no". Raises StudyError."""
    kind, _, choices = name.partition(":")
    try:
        family = next(one for one in FAMILIES if one.name == kind)
        return family.rule(**dict(zip(PARTS, choices.split(","), strict=True)))
    except (StopIteration, ValueError):
        raise StudyError(f"no rule '{name}'; write family:choice,... with a choice of each part, in order") from None


def to_json(piece: Found | Placed) -> str:
    """Write a piece of a search as text."""
    return json.dumps(dataclasses.asdict(piece), sort_keys=True)


def found_from(text: str) -> Found:
    """Read a family from text."""
    fields = json.loads(text)
    fields |= {"front": _standings(fields["front"]), "runs": tuple(fields["runs"])}
    examples = ({**one, "told": tuple(one["told"])} for one in fields["examples"])
    return Found(**{**fields, "examples": tuple(Example(**one) for one in examples)})


def placed_from(text: str) -> Placed:
    """Read the built-in policies from text."""
    fields = json.loads(text)
    return Placed(_standings(fields["standings"]), fields["deep"])


def _standings(plain: list[dict[str, Any]]) -> tuple[Standing, ...]:
    changed = (
        {
            **one,
            "state": tuple(one["state"]),
            "by_workload": tuple((name, count) for name, count in one["by_workload"]),
        }
        for one in plain
    )
    return tuple(Standing(**one) for one in changed)
