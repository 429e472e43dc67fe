"""failed_fork: the n-th early copy of a fork finds no memory; what did the unwinding leave behind?

Load: a process whose pages are pinned (every second one) or under direct I/O (FOLL_GET, the others) forks; the n-th
allocation for an early copy fails, so fork unwinds and there is no child; then the process writes all its pages.
Source: the seed thread of 18 Sep 2020 ("how to fail"); copy_present_page() and copy_page_range() return -ENOMEM.
Scale: none; few pages, every place at which it can fail.
Differ: pages walked before the failure stay write-protected: has_pinned copies each at the next write for its GET and
so cuts the I/O off; the oracle reuses it. page_count copies nothing at fork, so its fork does not fail.
"""

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class FailedFork(Workload):
    exact = True
    differs = (("page_count", "has_pinned"), ("has_pinned", "oracle"))

    pages: int = parameter(64, low=2, high=1024, unit="pages", help="half of them pinned")
    fail_at: int = parameter(16, low=1, high=512, help="which early copy finds no memory; beyond pages/2: none")
    direct_io: bool = parameter(True, help="the pages that are not pinned are under direct I/O")

    def run(self, machine: Machine, rng: Generator) -> None:
        process = machine.spawn()
        machine.write(process, range(self.pages))
        machine.drain(0)
        pin = machine.pin(process, np.arange(1, self.pages, 2), write=True, longterm=True)
        if self.direct_io:
            reference = machine.get(process, np.arange(0, self.pages, 2), write=True)
        child = machine.fork(process, fail_at=self.fail_at)
        machine.write(process, range(self.pages))
        machine.device_write(pin)
        machine.release(pin)
        if self.direct_io:
            machine.release(reference)
        machine.exit(child)
        machine.exit(process)
