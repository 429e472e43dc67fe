"""has_pinned: 5.9 to 5.17. page_count, and fork copies what looks pinned if the mm ever pinned (008cfe4418b3,
70e806e4e645).
"""

from typing import Literal

from cowbench import rules
from cowbench.kernels import LINUX_5_9, LINUX_5_11, LINUX_5_17, KernelFlags
from cowbench.policy import EarlyCopyPolicy, parameter
from cowbench.views import ForkPages, Mask, Mm, Scan, SwapIn, WriteFault


class HasPinned(EarlyCopyPolicy):
    kernels = "5.9 to 5.17"

    variant: Literal["5.9", "5.11", "5.17"] = parameter("5.17", help="release whose fork guard and reclaim apply")

    def flags(self) -> KernelFlags:
        return {"5.9": LINUX_5_9, "5.11": LINUX_5_11, "5.17": LINUX_5_17}[self.variant]

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_page_count(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_mapcount(fault)

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.has_pinned = True

    def early_scan(self, mm: Mm) -> Scan:
        return "referenced" if mm.has_pinned else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        return rules.maybe_pinned(fork)
