"""Which rules does a kernel follow? Programs that tell built-in policies apart are searched for and carried out there.

First whole policies: two that are still possible are told apart by a program, which the kernel carries out; all that
would have shown something else are out. Then rule by rule: the policy that is left, and the same with one rule of
another, are told apart in the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from cowbench import spec
from cowbench.abilities import Ability
from cowbench.compare import Difference, first_difference
from cowbench.distinguish import SMALL, Program, distinguish
from cowbench.errors import KernelError
from cowbench.expected import expect
from cowbench.linux.cache import cache_folder
from cowbench.linux.connection import Kernel
from cowbench.linux.draw import CONFIG
from cowbench.linux.era import era
from cowbench.linux.mixed import RULES, Rule, mixed
from cowbench.operations import decode, encode
from cowbench.policy import Policy

BUDGET = 3000
"""Programs tried to tell two rules apart."""
FEW: tuple[tuple[Ability, ...], ...] = (("second_cpu",), ("second_cpu", "swap"))
"""Abilities that programs are searched with before all that the kernel has are allowed."""
CANDIDATES: tuple[str, ...] = (
    *("mapcount", "forced_cow", "page_count", "has_pinned:variant=5.9", "has_pinned:variant=5.11", "has_pinned"),
    *("longterm_only", "pin_counter", "page_count_5_18", "always_reuse", "eager_copy"),
    *(f"anon_exclusive:kernel={release}" for release in ("5.19", "6.1", "6.6", "6.12", "6.19", "7.0", "7.3")),
)
RIVALS: dict[Rule, dict[str, str]] = {
    "write fault": {
        "always_reuse": "reuses whatever it finds",
        "mapcount": "counts mappings and swap entries",
        "page_count": "counts references",
        "page_count_5_18": "drains the LRU batch and frees the swap cache, then counts references",
        "anon_exclusive": "reuses exclusive pages, and counts references of others",
    },
    "fork": {
        "mapcount": "shares every page",
        "has_pinned": "copies pages that look pinned, if the process ever pinned",
        "pin_counter": "copies pages that look pinned, while the process has a pin",
        "anon_exclusive": "copies exclusive pages that look pinned, if the process ever pinned",
    },
    "pin": {
        "mapcount": "takes for reading what is there",
        "forced_cow": "takes a write fault first, also for reading",
        "anon_exclusive:kernel=6.1": "gives a reader its own page where it may be shared",
        "anon_exclusive": "the same, and long-term also instead of the zero page",
    },
    "swap-in": {
        "mapcount": "counts mappings and swap entries",
        "page_count_5_18": "counts references",
        "anon_exclusive": "trusts the exclusive mark of the swap entry",
    },
}
"""The rules that kernels had or might have had: policy -> what its rule does."""


@dataclass(frozen=True)
class Evidence:
    """A program that tells `kept` from `ruled_out`, and what it showed on the kernel, beside the one ruled out."""

    kept: str
    ruled_out: str
    program: Program
    difference: Difference


@dataclass
class Answer:
    """What a kernel follows: policies that agree with it (none: the nearest one), and the evidence.

    open: those that no program told from what was kept, within the budget and what the kernel can stage.
    """

    policies: list[str]
    agrees: bool
    evidence: list[Evidence] = field(default_factory=list)
    rules: dict[Rule, str] = field(default_factory=dict)
    rule_evidence: dict[Rule, list[Evidence]] = field(default_factory=dict)
    open: dict[Rule, list[str]] = field(default_factory=dict)


class Asked:
    """A kernel that is asked programs; it carries each out once."""

    def __init__(self, kernel: Kernel, budget: int = BUDGET) -> None:
        self.abilities: tuple[Ability, ...] = tuple(a for a, why in kernel.abilities().items() if not why)
        self._kernel, self._budget = kernel, budget

    def between(self, key: str, first: Policy, second: Policy) -> Program | None:
        """Return a program that tells two policies apart and that the kernel can carry out."""
        found = _searched(f"{key} {sorted(self.abilities)} {FEW} {self._budget}", lambda: self._search(first, second))
        return found if found and not self._kernel.observe(found, CONFIG).not_applicable else None

    def contradicts(self, policy: Policy, program: Program) -> Difference | None:
        """Return how the kernel and a policy differ on a program."""
        seen = self._kernel.observe(program, CONFIG)
        return first_difference(program, expect(policy, CONFIG, program), seen, frames=self._kernel.frames)

    def expected(self) -> str | None:
        """Return the policy that the kernel's release stands for, None if it tells none."""
        try:
            return era(self._kernel.release)
        except KernelError:
            return None

    def _search(self, first: Policy, second: Policy) -> Program | None:
        # Few abilities make a small alphabet, and so long programs within the budget.
        for few in (*FEW, self.abilities):
            abilities = [ability for ability in few if ability in self.abilities]
            search = distinguish(first, second, abilities, budget=self._budget, config=SMALL)
            if search.found:
                return search.found.program
        return None


def identify(
    asked: Asked,
    candidates: Sequence[str] = CANDIDATES,
    rivals: dict[Rule, dict[str, str]] = RIVALS,
    report: Callable[[str], None] = lambda words: None,
) -> Answer:
    """Return which of `candidates` a kernel follows, and rule by rule which of `rivals`. report: told what goes on."""
    policies = {text: spec.parse("policy", text).build() for text in candidates}
    answer = _whole(asked, policies, report)
    expected = asked.expected()
    answer.policies.sort(key=lambda text: text != expected)  # where evidence leaves several, the release's own first
    base = answer.policies[0]
    for rule in RULES:
        _rule(asked, base, policies[base], rule, rivals[rule], answer, report)
    return answer


def _whole(asked: Asked, policies: dict[str, Policy], report: Callable[[str], None]) -> Answer:
    left, wrong, evidence = list(policies), dict.fromkeys(policies, 0), list[Evidence]()
    for first, second in combinations(policies, 2):
        if first not in left or second not in left:
            continue
        report(f"{first} or {second}")
        program = asked.between(_key(first, second), policies[first], policies[second])
        if program is None:
            continue
        found = {text: asked.contradicts(policy, program) for text, policy in policies.items()}
        for text, difference in found.items():
            wrong[text] += difference is not None
        kept = [text for text in left if found[text] is None]
        for text in left:
            difference = found[text]
            if difference is not None:
                evidence.append(Evidence(", ".join(kept) or "none", text, program, difference))
        left = kept
    nearest = left or [min(wrong, key=wrong.__getitem__)]
    return Answer(nearest, bool(left), evidence)


def _rule(
    asked: Asked,
    base: str,
    policy: Policy,
    rule: Rule,
    rivals: dict[str, str],
    answer: Answer,
    report: Callable[[str], None],
) -> None:
    """Hold the rule of the policy that is left against those of others, put in its place."""
    answer.rules[rule], answer.rule_evidence[rule], answer.open[rule] = base, [], []
    for rival in rivals:
        report(f"{rule}: {base} or {rival}")
        other = mixed(policy, rule, spec.parse("policy", rival).build())
        program = asked.between(_key(base, rival, rule), policy, other)
        difference = asked.contradicts(other, program) if program else None
        if program is None:
            answer.open[rule].append(rival)
        elif difference is None:
            answer.rules[rule], answer.agrees = rival, False
        else:
            answer.rule_evidence[rule].append(Evidence(base, rival, program, difference))


def words_of(rule: Rule, answer: Answer) -> Iterator[str]:
    """Return what a rule of the kernel does: those that no program told from it."""
    same = [answer.rules[rule]] if answer.rules[rule] in RIVALS[rule] else answer.open[rule]
    yield from (RIVALS[rule][text] for text in same if text in RIVALS[rule])


def _key(*texts: str) -> str:
    """Name a search by the contents of the files it depends on."""
    parts = [spec.parse("policy", text).to_json() for text in texts if text not in RULES]
    return " ".join([*parts, *(text for text in texts if text in RULES)])


def _searched(key: str, search: Callable[[], Program | None]) -> Program | None:
    """Return what a search found before with the same key, else search; the cache may be deleted at any time."""
    from cowbench import __version__

    file = cache_folder("distinguish") / hashlib.sha256(f"{__version__} {key}".encode()).hexdigest()
    if file.exists():
        lines = json.loads(file.read_text(encoding="utf-8"))
        return tuple(map(decode, lines)) if lines is not None else None
    found = search()
    file.write_text(json.dumps(None if found is None else list(map(encode, found))), encoding="utf-8")
    return found
