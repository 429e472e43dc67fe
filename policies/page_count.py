"""page_count: 09854ba94c6a alone, as in 5.9-rc5. A page is the writer's only if nothing else refers to it."""

from cowbench import rules
from cowbench.kernels import LINUX_5_9, KernelFlags
from cowbench.policy import Policy
from cowbench.views import Mask, SwapIn, WriteFault


class PageCount(Policy):
    kernels = "5.9-rc1 to 5.9-rc7"

    def flags(self) -> KernelFlags:
        return LINUX_5_9

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_page_count(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_mapcount(fault)
