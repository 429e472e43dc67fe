"""The grammar of rules: seven parts, each with its choices; a rule takes one choice of each.

Two families are told apart, because the kernel around them differs: rules without and with an exclusive mark a page
(PG_anon_exclusive). Each choice says what it does in words, what a policy file says for it, and which state of a
kernel it needs. Seeing references, mappings, swap cache and LRU costs nothing: every kernel has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Literal

import numpy as np

from cowbench import rules
from cowbench.views import ForkPages, GupPages, Mask, Mm, SwapIn, WriteFault

Part = Literal["reuse", "swap_in", "fork", "pin", "guard", "reclaim", "freeze"]
PARTS: tuple[Part, ...] = ("reuse", "swap_in", "fork", "pin", "guard", "reclaim", "freeze")
FLAGGED: tuple[Part, ...] = ("guard", "reclaim", "freeze")
"""Parts that set flags of the kernel around the rule."""


@dataclass(frozen=True)
class State:
    """Something a kernel must remember for a rule: bits a page of memory, and bits an mm."""

    words: str
    page: int = 0
    mm: int = 0


MARK = State("exclusive mark of a page (PG_anon_exclusive)", page=1)
SWAP_MARK = State("exclusive mark of a swap entry", page=1)
PIN_COUNT = State("exact count of the pins of a page", page=32)
STICKY = State("sticky bit of the mm (MMF_HAS_PINNED)", mm=1)
COUNTER = State("count of the pins of the mm", mm=64)
SEQUENCE = State("sequence count of forks (write_protect_seq)", mm=32)

UNMARKED_KERNEL: dict[str, Any] = {
    "anon_exclusive": False,
    "mprotect_maps_writable": "never",
    "swapin_read_maps_writable": False,
}
"""What differs from 6.19 around rules without an exclusive mark: it would need one."""

GIB = 1 << 18
"""Pages of the address space that the one number for a rule's state is told for: 1 GiB."""


@dataclass(frozen=True)
class Choice:
    """One choice of a part. code: the expression in a policy file; "" where the part needs no code.

    ask: what the rule answers; of guard, reclaim and freeze: flags of the kernel that it sets.
    """

    name: str
    words: str
    code: str = ""
    ask: Any = None
    state: tuple[State, ...] = ()


@dataclass(frozen=True)
class Rule:
    """A rule: the family it is of, and the number of its choice in each part, in the order of PARTS."""

    family: Family
    at: tuple[int, ...]

    def __getitem__(self, part: Part) -> Choice:
        return self.family.choices[part][self.at[PARTS.index(part)]]

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The choice of each part."""
        return tuple(self[part] for part in PARTS)

    @cached_property
    def name(self) -> str:
        """All choices by name: the rule's own name."""
        return f"{self.family.name}:" + ",".join(choice.name for choice in self.choices)

    @cached_property
    def state(self) -> tuple[State, ...]:
        """What a kernel must remember for it, each once."""
        found = dict.fromkeys(state for choice in self.choices for state in choice.state)
        return tuple(dict.fromkeys((*self.family.state, *found)))

    @property
    def bits(self) -> int:
        """State in bits for an address space of 1 GiB."""
        return sum(state.page * GIB + state.mm for state in self.state)


@dataclass(frozen=True, eq=False)
class Family:
    """The rules without or with an exclusive mark. state: what all of them need."""

    name: str
    choices: dict[Part, tuple[Choice, ...]]
    state: tuple[State, ...] = ()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """How many choices each part has."""
        return tuple(len(self.choices[part]) for part in PARTS)

    @property
    def size(self) -> int:
        """How many rules it has."""
        return int(np.prod(self.shape))

    def rule(self, **names: str) -> Rule:
        """Return the rule with these choices, the first of each part that is not named."""
        known = {part: [choice.name for choice in self.choices[part]] for part in PARTS}
        return Rule(self, tuple(known[part].index(names.get(part, known[part][0])) for part in PARTS))

    def bits(self) -> np.ndarray:
        """Return the state of every rule in bits (Rule.bits), int64, in the shape of the family."""
        every = dict.fromkeys(state for part in PARTS for choice in self.choices[part] for state in choice.state)
        total = np.zeros(self.shape, np.int64)
        for state in dict.fromkeys((*self.state, *every)):
            needed = np.full(self.shape, state in self.state)
            for axis, part in enumerate(PARTS):
                needs = np.array([state in choice.state for choice in self.choices[part]])
                needed |= needs.reshape([-1 if i == axis else 1 for i in range(len(PARTS))])
            total += needed * (state.page * GIB + state.mm)
        return total


def _all(size: int) -> Mask:
    return np.ones(size, np.bool_)


def _none(size: int) -> Mask:
    return np.zeros(size, np.bool_)


_REUSE: tuple[Choice, ...] = (
    Choice("never", "never", "np.zeros(len(fault), np.bool_)", lambda fault: _none(len(fault))),
    Choice(
        *("mapcount", "if no other mapping or swap entry leads to it (5.7)"),
        *("rules.reuse_by_mapcount(fault)", rules.reuse_by_mapcount),
    ),
    Choice(
        *("count", "if nothing but the mapping refers to it (5.9)"),
        *("rules.reuse_by_page_count(fault)", rules.reuse_by_page_count),
    ),
    Choice(
        *("drained", "if, after a drain and without the swap cache, nothing but the mapping refers to it (5.18)"),
        *("rules.reuse_by_page_count_after_drain(fault)", rules.reuse_by_page_count_after_drain),
    ),
    Choice(
        *("explained", "if one mapping, the swap cache and an LRU batch explain every reference"),
        *("rules.reuse_explained(fault)", rules.reuse_explained),
    ),
)
_ALWAYS = Choice("always", "always", "np.ones(len(fault), np.bool_)", lambda fault: _all(len(fault)))


def _looks_pinned(fault: WriteFault) -> Mask:
    return rules.maybe_pinned(fault) & (fault.mapcount == 1)


def _or(one: Choice, name: str, words: str, code: str, ask: Callable[[Any], Mask], *state: State) -> Choice:
    """Return a choice that also says yes where `ask` does."""

    def either(view: Any) -> Mask:
        answer: Mask = ask(view) | one.ask(view)
        return answer

    both = (f"{one.name}|{name}", f"{one.words}, or {words}", f"{one.code} | {code}")
    return Choice(*both, either, (*one.state, *state))


def _unmarked_reuse() -> Iterator[Choice]:
    yield from (*_REUSE, _ALWAYS)
    for one in _REUSE[2:]:  # by mapcount, what looks pinned and has one mapping is reused anyway
        code = "((fault.mapcount == 1) & rules.maybe_pinned(fault))"
        yield _or(one, "pinned", "if it looks pinned and has one mapping", code, _looks_pinned)


def _marked_reuse() -> Iterator[Choice]:
    for one in _REUSE:
        if one.name == "never":
            yield Choice("mark", "if it is exclusive", "fault.exclusive", lambda fault: fault.exclusive)
        elif one.name == "drained":
            words = f"if it is exclusive, or {one.words}"
            yield Choice("mark|drained", words, "rules.reuse_exclusive(fault)", rules.reuse_exclusive)
        else:
            # What is exclusive needs no test, and so no lock.
            yield _or(one, "mark", "if it is exclusive", "fault.exclusive", lambda fault: fault.exclusive)


def _drained_swap_in(fault: SwapIn) -> Mask:
    return rules.swap_in_by_page_count(fault)


_SWAP_IN: tuple[Choice, ...] = (
    Choice("never", "in no case", "np.zeros(len(fault), np.bool_)", lambda fault: _none(len(fault))),
    Choice(
        *("mapcount", "on a write, if no other swap entry or mapping leads to it (5.7 to 5.17)"),
        *("rules.swap_in_by_mapcount(fault)", rules.swap_in_by_mapcount),
    ),
    Choice(
        *("count", "on a write, if nothing else refers to it (5.18)"),
        *("rules.swap_in_by_page_count(fault)", _drained_swap_in),
    ),
    Choice(
        *("explained", "on a write, if swap cache and LRU batch explain every reference"),
        *("rules.swap_in_explained(fault)", rules.swap_in_explained),
    ),
)


def _marked_swap_in() -> Iterator[Choice]:
    yield from _SWAP_IN
    for waits in (False, True):
        name = "waits" if waits else "kept"
        words = "if its entry is marked" + (", after writeback" if waits else "")
        code = f"rules.remembered(fault{', waits=True' if waits else ''})"
        kept = Choice(name, words, code, lambda fault, waits=waits: rules.remembered(fault, waits=waits), (SWAP_MARK,))
        yield kept
        if waits:
            yield _or(_SWAP_IN[2], name, words, code, kept.ask, SWAP_MARK)
        else:
            words = "if its entry is marked or nothing else refers to it (5.19 and later)"
            yield Choice("kept|count", words, "rules.swap_in_exclusive(fault)", rules.swap_in_exclusive, (SWAP_MARK,))


@dataclass(frozen=True)
class Early:
    """Which pages fork copies: `select` of those shown, if `gate` lets this mm through. swapped: swap entries too."""

    gate: Callable[[Mm], bool]
    select: Callable[[ForkPages], Mask]
    swapped: bool = False


GATES: tuple[tuple[str, str, str, Callable[[Mm], bool], tuple[State, ...]], ...] = (
    ("", "", "True", lambda mm: True, ()),
    ("sticky", "once the mm ever pinned", "mm.has_pinned", lambda mm: mm.has_pinned, (STICKY,)),
    ("counter", "while the mm holds a pin", "mm.pins > 0", lambda mm: mm.pins > 0, (COUNTER,)),
)
"""Which mms copy early: name, words, code, test, state."""


def _exclusive_and(select: Callable[[ForkPages], Mask]) -> Callable[[ForkPages], Mask]:
    return lambda fork: fork.exclusive & select(fork)


def _selections(marked: bool) -> Iterator[tuple[str, str, str, Callable[[ForkPages], Mask], tuple[State, ...]]]:
    extra = 1 if marked else 0  # since 5.19 fork takes its own reference before it looks
    pinned = "rules.maybe_pinned(fork, extra=1)" if marked else "rules.maybe_pinned(fork)"
    found: tuple[tuple[str, str, str, Callable[[ForkPages], Mask], tuple[State, ...]], ...] = (
        ("pinned", "pages that look pinned", pinned, lambda fork: rules.maybe_pinned(fork, extra), ()),
        ("exact", "pages with a pin", "(fork.pins > 0)", lambda fork: fork.pins > 0, (PIN_COUNT,)),
        (
            *("referenced", "pages with a reference that nothing explains"),
            *("(rules.unexplained(fork) > 0)", lambda fork: rules.unexplained(fork) > 0, ()),
        ),
        (
            *("counted", "pages with a reference that mappings and swap cache do not explain"),
            "(fork.refcount > fork.mapcount + fork.in_swap_cache)",
            *(lambda fork: fork.refcount > fork.mapcount + fork.in_swap_cache, ()),
        ),
    )
    for name, words, code, select, state in found:
        if marked:
            yield name, f"exclusive {words}", f"fork.exclusive & {code}", _exclusive_and(select), state
        else:
            yield name, words, code, select, state
    yield "all", "all pages", "np.ones(len(fork), np.bool_)", lambda fork: _all(len(fork)), ()


def _early(marked: bool) -> Iterator[Choice]:
    yield Choice("none", "nothing", "", Early(lambda mm: False, lambda fork: _none(len(fork))))
    for gate, when, _, test, needs in GATES:
        suffix = f"@{gate}" if gate else ""
        for name, words, code, select, state in _selections(marked):
            if gate and name in ("counted", "all"):
                continue
            said = f"{words} {when}".strip()
            yield Choice(f"{name}{suffix}", said, code, Early(test, select), (*state, *needs))
    ask = Early(lambda mm: True, lambda fork: _all(len(fork)), swapped=True)
    yield Choice("all+swap", "all pages, swapped-out ones too", "np.ones(len(fork), np.bool_)", ask)


def _unshare(marked: bool) -> Iterator[Choice]:
    yield Choice("none", "nothing", "", lambda request: _none(len(request)))
    tests: tuple[tuple[str, str, str, Callable[[GupPages], Mask]], ...] = (
        ("mapped", "mapped by others", "r.mapcount + r.swap_count > 1", lambda r: r.mapcount + r.swap_count > 1),
    )
    if marked:
        tests = (("mark", "not exclusive", "~r.exclusive", lambda r: ~r.exclusive),)
    for who in ("pins", "all"):
        for name, words, code, test in tests:
            for zero in ("", "+longterm_zero", "+zero"):
                yield _unsharing(who, f"{name}{zero}", words, code, test)
    yield Choice("break", "every read-only page, by a write fault (5.8)", "", lambda request: _none(len(request)))


def _unsharing(who: str, name: str, words: str, code: str, test: Callable[[GupPages], Mask]) -> Choice:
    zero = name.partition("+")[2]

    def ask(request: GupPages) -> Mask:
        if who == "pins" and not request.pin:
            return _none(len(request))
        zero_too = zero == "zero" or (zero == "longterm_zero" and request.longterm)
        return np.where(request.zero_page, zero_too, test(request))

    more = {"": "", "zero": " and the zero page", "longterm_zero": " and, if long-term, the zero page"}
    said = f"pages {words}{more[zero]}"
    here = code.replace("r.", "request.")
    broken = {"": "False", "zero": "True", "longterm_zero": "request.longterm"}[zero]
    text = f"np.where(request.zero_page, {broken}, {here})"
    text += " & request.pin" if who == "pins" else ""
    return Choice(f"{who}_{name}", f"{said} ({'pins' if who == 'pins' else 'pins and gets'})", text, ask)


def _guard(name: str, words: str, pins: bool, gets: bool, *state: State) -> Choice:
    return Choice(name, words, ask={"fork_guard": pins, "fork_guards_gets": gets}, state=state)


def _refusal(name: str, words: str, pins: bool, references: bool) -> Choice:
    return Choice(name, words, ask={"reclaim_refuses_pins": pins, "reclaim_refuses_references": references})


_FLAGS: dict[Part, tuple[Choice, ...]] = {
    "guard": (
        _guard("none", "nothing", False, False),
        _guard("pins", "GUP-fast pins", True, False, SEQUENCE),
        _guard("gets", "GUP-fast pins and gets", True, True, SEQUENCE),
    ),
    "reclaim": (
        _refusal("none", "nothing", False, False),
        _refusal("pins", "pages that look pinned", True, False),
        _refusal("gets", "pages with an unexplained reference", True, True),
    ),
    "freeze": (
        Choice("no", "run on", ask={"freeze_writers": False}),
        Choice("yes", "wait for fork where a page is copied early", ask={"freeze_writers": True}),
    ),
}

UNMARKED = Family(
    "unmarked",
    {
        "reuse": tuple(_unmarked_reuse()),
        "swap_in": _SWAP_IN,
        "fork": tuple(_early(False)),
        "pin": tuple(_unshare(False)),
        **_FLAGS,
    },
)
MARKED = Family(
    "marked",
    {
        "reuse": tuple(_marked_reuse()),
        "swap_in": tuple(_marked_swap_in()),
        "fork": tuple(_early(True)),
        "pin": tuple(_unshare(True)),
        **_FLAGS,
    },
    (MARK,),
)
FAMILIES = (UNMARKED, MARKED)

SAYS: dict[Part, str] = {
    "reuse": "a write fault reuses the page",
    "swap_in": "swap-in maps a page as the process's own",
    "fork": "fork copies at once",
    "pin": "taking a reference for reading unshares",
    "guard": "while fork runs, these back off:",
    "reclaim": "reclaim leaves mapped",
    "freeze": "writers",
}
"""What each part decides; a choice's words complete the sentence."""


def every(family: Family) -> Iterator[Rule]:
    """Yield all rules of a family."""
    return (Rule(family, at) for at in product(*map(range, family.shape)))
