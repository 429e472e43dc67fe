"""eager_copy: copies at fork. The upper bound on copies: every page of the parent, at once, as before copy-on-write."""

import numpy as np

from cowbench.policy import EarlyCopyPolicy
from cowbench.views import ForkPages, Mask, Mm, Scan, WriteFault


class EagerCopy(EarlyCopyPolicy):
    kernels = "none: an upper bound"
    copies_swap_entries = True

    def reuse(self, fault: WriteFault) -> Mask:
        return np.ones(len(fault), np.bool_)

    def early_scan(self, mm: Mm) -> Scan:
        return "all"

    def copy_early(self, fork: ForkPages) -> Mask:
        return np.ones(len(fork), np.bool_)
