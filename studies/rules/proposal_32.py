"""proposal_32: never shipped; found by a search of rules (cowbench/search).

- a write fault reuses the page if no other mapping or swap entry leads to it (5.7).
- swap-in maps a page as the process's own in no case.
- fork copies at once pages with a reference that nothing explains.
- taking a reference for reading unshares pages mapped by others and the zero page (pins and gets).
- while fork runs, these back off: GUP-fast pins and gets.
- reclaim leaves mapped pages with an unexplained reference.
- writers wait for fork where a page is copied early.

State: sequence count of forks (write_protect_seq).
"""

from dataclasses import replace

import numpy as np

from cowbench import rules
from cowbench.kernels import LINUX_6_19, KernelFlags
from cowbench.policy import EarlyCopyPolicy
from cowbench.views import ForkPages, GupPages, Mask, Mm, Scan, SwapIn, WriteFault


class Proposal32(EarlyCopyPolicy):
    kernels = "none: found by search"

    def flags(self) -> KernelFlags:
        return replace(
            LINUX_6_19,
            anon_exclusive=False,
            mprotect_maps_writable="never",
            swapin_read_maps_writable=False,
            fork_guards_gets=True,
            reclaim_refuses_references=True,
            freeze_writers=True,
        )

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_mapcount(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return np.zeros(len(fault), np.bool_)

    def early_scan(self, mm: Mm) -> Scan:
        return "all"

    def copy_early(self, fork: ForkPages) -> Mask:
        return rules.unexplained(fork) > 0

    def unshare(self, request: GupPages) -> Mask:
        return np.where(request.zero_page, True, request.mapcount + request.swap_count > 1)
