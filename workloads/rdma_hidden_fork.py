"""rdma_hidden_fork: a process with registered buffers starts a subprocess that nobody thinks of (W9).

Load: an HPC or Python process has registered half of its memory for RDMA (FOLL_LONGTERM, for writing); a library
runs `subprocess.call()`; the child execs at once, but some pages of the parent are written before it does.
Source: J. Gunthorpe, 14 and 17 Sep 2020 (RDMA tests failing on 5.9-rc); O. Gabbay, 16 Feb 2022; rdma-core's manual
page of ibv_fork_init. How much is pinned and written is an assumption.
Scale: 1/1024 of 16 GiB; shares of the memory are kept.
Differ: page_count loses every pin that is written after the fork, also when the child is long gone; mapcount and
forced_cow only those written before the exec; has_pinned and later copy them at fork. With `dontfork`, as
ibv_fork_init does it, nobody loses one and nobody copies one.
"""

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class RdmaHiddenFork(Workload):
    differs = (("page_count", "has_pinned"), ("mapcount", "has_pinned"), ("mapcount", "page_count"))

    pages: int = parameter(4096, low=64, high=1 << 22, unit="pages", scale="1/1024 of 16 GiB", source="W9: 4 M pages")
    pinned: float = parameter(0.5, low=0.05, high=0.9, source="W9: 50 %, 5 to 90 %", help="share registered")
    forks: int = parameter(4, low=1, high=1000, unit="forks", source="W9: one at start, then one an hour")
    raced: float = parameter(0.2, low=0.0, high=1.0, source="assumed", help="share written before the child execs")
    dontfork: bool = parameter(False, source="ibv_fork_init", help="MADV_DONTFORK on what is registered")

    def run(self, machine: Machine, rng: Generator) -> None:
        registered = range(int(self.pages * self.pinned))
        parent = machine.spawn()
        machine.write(parent, range(self.pages))
        buffer = machine.pin(parent, registered, write=True, longterm=True)
        if self.dontfork:
            machine.dontfork(parent, registered)
        for _ in range(self.forks):
            raced = rng.random(self.pages) < self.raced
            child = machine.fork(parent)
            machine.write(parent, np.flatnonzero(raced))
            machine.exec(child)
            machine.write(parent, np.flatnonzero(~raced))
            machine.device_write(buffer)
            machine.read(parent, range(self.pages))
            machine.exit(child)
