"""forced_cow: 5.8 (17839856fd58). As mapcount, but taking a reference for reading breaks COW first."""

from cowbench import rules
from cowbench.kernels import LINUX_5_8, KernelFlags
from cowbench.policy import Policy
from cowbench.views import Mask, SwapIn, WriteFault


class ForcedCow(Policy):
    kernels = "5.8, late 5.7.y"

    def flags(self) -> KernelFlags:
        return LINUX_5_8

    def reuse(self, fault: WriteFault) -> Mask:
        return rules.reuse_by_mapcount(fault)

    def swap_in(self, fault: SwapIn) -> Mask:
        return rules.swap_in_by_mapcount(fault)
