"""longterm_only: never shipped; J. Gunthorpe's remark of 18 Sep 2020.

As has_pinned, but only FOLL_LONGTERM marks the mm.
"""

from cowbench import rules
from cowbench.kernels import LINUX_5_17, KernelFlags
from cowbench.policy import EarlyCopyPolicy
from cowbench.views import ForkPages, Mask, Mm, Scan, SwapIn, WriteFault


class LongtermOnly(EarlyCopyPolicy):
    kernels = "none: proposed in the thread of September 2020"

    def flags(self) -> KernelFlags:
        return LINUX_5_17

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_page_count(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_mapcount(fault)

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.has_pinned |= longterm

    def early_scan(self, mm: Mm) -> Scan:
        return "referenced" if mm.has_pinned else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        return rules.maybe_pinned(fork)
