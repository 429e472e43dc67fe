"""anon_exclusive: 5.19 and later (6c287605fd56). Pages remember that they are one mm's own; read-only pins unshare
first.
"""

from dataclasses import replace
from typing import Literal

from cowbench import rules
from cowbench.kernels import LINUX_5_19, LINUX_6_1, LINUX_6_6, LINUX_6_12, LINUX_6_19, LINUX_7_3, KernelFlags
from cowbench.policy import EarlyCopyPolicy, parameter
from cowbench.views import ForkPages, GupPages, Mask, Mm, Scan, SwapIn, WriteFault

KERNELS = {
    "5.19": LINUX_5_19,
    "6.1": LINUX_6_1,
    "6.6": LINUX_6_6,
    "6.12": LINUX_6_12,
    "6.19": LINUX_6_19,
    "7.0": LINUX_6_19,
    "7.3": LINUX_7_3,
}


class AnonExclusive(EarlyCopyPolicy):
    kernels = "5.19 and later"

    kernel: Literal["5.19", "6.1", "6.6", "6.12", "6.19", "7.0", "7.3"] = parameter("6.19", help="release")
    freeze_writers: bool = parameter(False, help="J. Horn's fix of June 2025: writers wait for fork (not merged)")

    def flags(self) -> KernelFlags:
        return replace(KERNELS[self.kernel], freeze_writers=self.freeze_writers)

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_exclusive(fault, close_bound=self.kernel == "7.3")

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_exclusive(fault, drains=self.kernel != "7.3", frees=self.kernel != "7.0")

    def on_pin(self, mm: Mm, pages: int, longterm: bool) -> None:
        mm.has_pinned = True

    def early_scan(self, mm: Mm) -> Scan:
        return "referenced" if mm.has_pinned else "nothing"

    def copy_early(self, fork: ForkPages) -> Mask:
        return fork.exclusive & rules.maybe_pinned(fork, extra=1)  # fork's own reference is counted

    def unshare(self, request: GupPages) -> Mask:
        must = rules.unshare_shared(request)
        if request.longterm and self.kernel not in ("5.19", "6.1"):
            must |= request.zero_page  # 84209e87c696, 6.2: long-term pins break the zero page too
        return must
