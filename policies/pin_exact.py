"""pin_exact: never shipped; as has_pinned, but every page counts its pins apart.

No number of other references looks like a pin. Linux has no room for such a counter in struct page
(Documentation/core-api/pin_user_pages.rst).
"""

from cowbench import rules
from cowbench.kernels import LINUX_5_17, KernelFlags
from cowbench.policy import EarlyCopyPolicy
from cowbench.views import ForkPages, Mask, Mm, Scan, SwapIn, WriteFault


class PinExact(EarlyCopyPolicy):
    kernels = "none: what an exact count a page would do"

    def flags(self) -> KernelFlags:
        return LINUX_5_17

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_page_count(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_mapcount(fault)

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.has_pinned = True

    def early_scan(self, mm: Mm) -> Scan:
        return "referenced" if mm.has_pinned else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        return fork.pins > 0
