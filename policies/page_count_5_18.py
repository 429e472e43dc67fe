"""page_count_5_18: 5.18.

The count decides as in has_pinned, after draining the local LRU batch and freeing the swap cache.
"""

from cowbench import rules
from cowbench.kernels import LINUX_5_17, KernelFlags
from cowbench.policy import EarlyCopyPolicy
from cowbench.views import ForkPages, Mask, Mm, Scan, SwapIn, WriteFault


class PageCount518(EarlyCopyPolicy):
    kernels = "5.18"

    def flags(self) -> KernelFlags:
        return LINUX_5_17  # what 5.18 changed is in the rules, not in the flags

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_page_count_after_drain(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_page_count(fault)

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.has_pinned = True

    def early_scan(self, mm: Mm) -> Scan:
        return "referenced" if mm.has_pinned else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        return rules.maybe_pinned(fork)
