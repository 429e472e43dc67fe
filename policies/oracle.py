"""oracle: knows who observes what.

No false-positive copy, no leak, no lost reference; it may tear snapshots at fork.
"""

from dataclasses import replace

from cowbench.kernels import LINUX_6_19, KernelFlags
from cowbench.policy import EarlyCopyPolicy, parameter
from cowbench.views import ForkPages, GupPages, Mask, Mm, Scan, SwapIn, WriteFault, told


class Oracle(EarlyCopyPolicy):
    kernels = "none: sees what no kernel can"
    sees_truth = True

    freeze_writers: bool = parameter(False, help="writers wait for fork while a page is copied")

    def flags(self) -> KernelFlags:
        return replace(LINUX_6_19, freeze_writers=self.freeze_writers)

    def reuse(self, fault: WriteFault) -> Mask:
        return ~told(fault).observed

    def swap_in(self, fault: SwapIn) -> Mask:
        return ~told(fault).observed

    def early_scan(self, mm: Mm) -> Scan:
        return "referenced"

    def copy_early(self, fork: ForkPages) -> Mask:
        return told(fork).coherent

    def unshare(self, request: GupPages) -> Mask:
        truth = told(request)
        return truth.coherent & (truth.observed | request.zero_page)
