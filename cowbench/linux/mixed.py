"""A policy put together from the rules of others: what a kernel with one rule of another era would be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar, Literal, cast, get_args

from cowbench.kernels import KernelFlags
from cowbench.policy import EarlyCopyPolicy, Policy
from cowbench.views import ForkPages, GupPages, Mask, Mm, Scan, SwapIn, WriteFault

Rule = Literal["write fault", "fork", "pin", "swap-in"]
RULES: tuple[Rule, ...] = get_args(Rule)


class Mixed(EarlyCopyPolicy):
    """See `mixed`, which makes it."""

    name = "mixed"
    _write: ClassVar[Policy]
    _fork: ClassVar[Policy]
    _pin: ClassVar[Policy]
    _swap_in: ClassVar[Policy]
    _flags: ClassVar[KernelFlags]

    def flags(self) -> KernelFlags:
        return self._flags

    def reuse(self, fault: WriteFault) -> Mask:
        return self._write.reuse(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return self._swap_in.swap_in(fault)

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        self._fork.on_pin(mm, pages, longterm)

    def on_unpin(self, mm: Mm, pages: int, longterm: bool) -> None:
        self._fork.on_unpin(mm, pages, longterm)

    def early_scan(self, mm: Mm) -> Scan:
        return self._fork.early_scan(mm)

    def copy_early(self, fork: ForkPages) -> Mask:
        return self._fork.copy_early(fork)

    def unshare(self, request: GupPages) -> Mask:
        return self._pin.unshare(request)


def mixed(base: Policy, rule: Rule, other: Policy) -> Policy:
    """Return `base` with one rule of `other`. The kernel around the rules stays that of `base`."""
    parts: dict[Rule, Policy] = {**dict.fromkeys(RULES, base), rule: other}
    flags = replace(base.flags(), reads_break_cow=parts["pin"].flags().reads_break_cow)
    names = dict(zip(("_write", "_fork", "_pin", "_swap_in"), (parts[one] for one in RULES), strict=True))
    made: type[Mixed] = type("Made", (Mixed,), {**names, "_flags": flags})
    policy: Any = made.from_values({})
    return cast(Policy, policy)
