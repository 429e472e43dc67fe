"""always_reuse: never copies. The lower bound on copies; it leaks by design."""

import numpy as np

from cowbench.policy import Policy
from cowbench.views import Mask, WriteFault


class AlwaysReuse(Policy):
    kernels = "none: a lower bound"

    def reuse(self, fault: WriteFault) -> Mask:
        return np.ones(len(fault), np.bool_)
