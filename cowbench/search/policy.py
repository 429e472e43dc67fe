"""Rules as policies: one rule, and all rules at once that answer alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from cowbench.kernels import LINUX_6_19, KernelFlags
from cowbench.policy import EarlyCopyPolicy
from cowbench.search.grammar import FLAGGED, PARTS, UNMARKED_KERNEL, Choice, Early, Family, Part, Rule
from cowbench.views import FaultView, ForkPages, GupPages, Mask, Mm, Scan, SwapIn, WriteFault

Block = tuple[npt.NDArray[np.bool_], ...]
"""For each part which of its choices: all rules that combine these."""


def kernel(family: Family) -> KernelFlags:
    """Return the kernel around the rules of a family: that of 6.19, without what only exclusive marks make possible."""
    return LINUX_6_19 if family.state else dataclasses.replace(LINUX_6_19, **UNMARKED_KERNEL)


class _Remembering(EarlyCopyPolicy):
    """Remembers about an mm all that some rule may ask for."""

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.has_pinned = True
        mm.pins += pages

    def on_unpin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.pins -= pages


class OneRule(_Remembering):
    """One rule of the grammar. base: the kernel around it, if not that of its family."""

    name = "rule"

    if TYPE_CHECKING:  # an annotation would make it a parameter of the policy
        rule: Rule
        base: KernelFlags

    def __init__(self, rule: Rule, base: KernelFlags | None = None) -> None:
        vars(self).update(rule=rule, base=base or kernel(rule.family))

    @property
    def copies_swap_entries(self) -> bool:  # type: ignore[override]
        """Whether fork gives the child frames for swap entries too."""
        return bool(self._early.swapped)

    @property
    def _early(self) -> Early:
        return cast(Early, self.rule["fork"].ask)

    def flags(self) -> KernelFlags:
        changes: dict[str, Any] = {"reads_break_cow": self.rule["pin"].name == "break"}
        for part in FLAGGED:
            changes |= self.rule[part].ask
        return dataclasses.replace(self.base, **changes)

    def reuse(self, fault: WriteFault) -> Mask:
        return cast(Mask, self.rule["reuse"].ask(fault))

    def swap_in(self, fault: SwapIn) -> Mask:
        return cast(Mask, self.rule["swap_in"].ask(fault))

    def early_scan(self, mm: Mm) -> Scan:
        return "all" if self._early.gate(mm) else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        return self._early.select(fork)

    def unshare(self, request: GupPages) -> Mask:
        return cast(Mask, self.rule["pin"].ask(request))


class Alike(_Remembering):
    """A rule, and with it every rule that answers each question of a run as it does.

    `block` begins with choices for each part and ends, when a run is over, with those whose answers and actions were
    the same all along: one run stands for all rules that combine them.
    """

    name = "alike"

    if TYPE_CHECKING:
        rule: Rule
        block: Block
        _marks: dict[str, Mm]
        base: KernelFlags

    def __init__(self, rule: Rule, block: Block) -> None:
        """Follow a rule among those of a block."""
        vars(self).update(
            rule=rule, block=tuple(choices.copy() for choices in block), base=kernel(rule.family), _marks={}
        )

    def _settle(self, part: Part, answer: Callable[[Any], tuple[Any, Hashable]]) -> Any:
        """Return the rule's own answer for a part; drop the choices of the block whose key is another one."""
        axis = PARTS.index(part)
        choices = self.rule.family.choices[part]
        own, wanted = answer(choices[self.rule.at[axis]])
        for index in np.flatnonzero(self.block[axis]).tolist():
            if index != self.rule.at[axis] and answer(choices[index])[1] != wanted:
                self.block[axis][index] = False
        return own

    def flags(self) -> KernelFlags:
        return cast(KernelFlags, _WatchedFlags(self))

    def flag(self, part: Part, name: str) -> bool:
        """Return a flag that a choice of a part sets."""
        return bool(self._settle(part, lambda choice: (choice.ask[name],) * 2))

    @property
    def copies_swap_entries(self) -> bool:  # type: ignore[override]
        """Whether fork gives the child frames for swap entries too."""

        def swapped(choice: Choice) -> tuple[bool, bool]:
            answer = choice.ask.swapped and choice.ask.gate(self._marks["fork"])
            return answer, answer

        return bool(self._settle("fork", swapped))

    def reuse(self, fault: WriteFault) -> Mask:
        return self._fault("reuse", fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return self._fault("swap_in", fault)

    def _fault(self, part: Part, fault: FaultView) -> Mask:
        columns = fault._columns
        before = dataclasses.replace(columns)  # actions change the columns that the engine looks at
        own = self.rule[part].ask(fault)
        done = (fault.drains, fault.freed, fault.refused)
        nothing = np.zeros(len(fault), np.bool_)

        def key(choice: Any) -> tuple[Mask, Hashable]:
            fault._columns = dataclasses.replace(before)
            fault.drains = fault.freed = fault.refused = nothing
            answer = choice.ask(fault)
            return answer, (answer.tobytes(), fault.drains.tobytes(), fault.freed.tobytes())

        self._settle(part, key)
        fault._columns = columns
        fault.drains, fault.freed, fault.refused = done
        return cast(Mask, own)

    def early_scan(self, mm: Mm) -> Scan:
        self._marks["fork"] = mm
        axis = PARTS.index("fork")
        choices = self.rule.family.choices["fork"]
        some = any(choices[i].name != "none" and choices[i].ask.gate(mm) for i in np.flatnonzero(self.block[axis]))
        return "all" if some else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        def key(choice: Any) -> tuple[Mask, Hashable]:
            early: Early = choice.ask
            answer = early.select(fork) if early.gate(fork.mm) else np.zeros(len(fork), np.bool_)
            return answer, answer.tobytes()

        return cast(Mask, self._settle("fork", key))

    def unshare(self, request: GupPages) -> Mask:
        def key(choice: Any) -> tuple[Mask, Hashable]:
            answer = choice.ask(request)
            return answer, answer.tobytes()

        return cast(Mask, self._settle("pin", key))


class _WatchedFlags:
    """Flags of a kernel; asking for one that rules decide narrows the block to the rules that set it alike."""

    _PARTS: ClassVar[dict[str, Part]] = {
        "fork_guard": "guard",
        "fork_guards_gets": "guard",
        "reclaim_refuses_pins": "reclaim",
        "reclaim_refuses_references": "reclaim",
        "freeze_writers": "freeze",
    }

    def __init__(self, policy: Alike) -> None:
        self._policy = policy

    def __getattr__(self, name: str) -> Any:
        if name == "reads_break_cow":
            return self._policy._settle("pin", lambda choice: (choice.name == "break",) * 2)
        if name in self._PARTS:
            return self._policy.flag(self._PARTS[name], name)
        return getattr(self._policy.base, name)
