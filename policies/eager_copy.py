"""eager_copy: copies at fork. The upper bound on copies: every page of the parent, at once, as before copy-on-write."""

from dataclasses import replace

import numpy as np

from cowbench.kernels import LINUX_5_7, KernelFlags
from cowbench.policy import EarlyCopyPolicy, parameter
from cowbench.views import ForkPages, Mask, Mm, Scan, WriteFault


class EagerCopy(EarlyCopyPolicy):
    kernels = "none: an upper bound"
    copies_swap_entries = True

    freeze_writers: bool = parameter(False, help="write-protect a page while it is copied, so that writers wait for fork")

    def flags(self) -> KernelFlags:
        return replace(LINUX_5_7, freeze_writers=self.freeze_writers)

    def reuse(self, fault: WriteFault) -> Mask:
        return np.ones(len(fault), np.bool_)

    def early_scan(self, mm: Mm) -> Scan:
        return "all"

    def copy_early(self, fork: ForkPages) -> Mask:
        return np.ones(len(fork), np.bool_)
