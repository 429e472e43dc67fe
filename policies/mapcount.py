"""mapcount: reuse_swap_page() of 5.7 and before. A page is the writer's if nobody else maps it or its swap slot."""

from cowbench import rules
from cowbench.policy import Policy
from cowbench.views import Mask, SwapIn, WriteFault


class Mapcount(Policy):
    kernels = "up to 5.7"

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_mapcount(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_mapcount(fault)
