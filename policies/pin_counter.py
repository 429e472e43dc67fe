"""pin_counter: never shipped; the "future work" of 008cfe4418b3.

As has_pinned, with a counter in place of the sticky bit.
"""

from cowbench import rules
from cowbench.kernels import LINUX_5_17, KernelFlags
from cowbench.policy import EarlyCopyPolicy
from cowbench.views import ForkPages, Mask, Mm, Scan, SwapIn, WriteFault


class PinCounter(EarlyCopyPolicy):
    kernels = "none: named as future work by 008cfe4418b3"

    def flags(self) -> KernelFlags:
        return LINUX_5_17

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_page_count(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_mapcount(fault)

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.pins += pages

    def on_unpin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.pins -= pages

    def early_scan(self, mm: Mm) -> Scan:
        return "referenced" if mm.pins > 0 else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        return rules.maybe_pinned(fork)
