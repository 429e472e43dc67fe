"""short_pin: pins without FOLL_LONGTERM that happen to be held across a fork (P. Xu's doubt in the thread).

Load: a process keeps direct I/O in flight (short FOLL_PIN, as bio takes it since 6.5); now and then it spawns a
program in the midst of it, and writes the same pages before and after the exec.
Source: the seed thread of 18 Sep 2020: is marking the process for long-term pins enough? Shares are assumed.
Scale: 1/64 of 256 MiB; the share in flight at a fork is kept.
Differ: longterm_only loses these pins as page_count does, for it has not marked the process; has_pinned and
pin_counter copy early. With `registered` a single long-term pin marks the process, and longterm_only protects its
short pins too.
"""

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class ShortPin(Workload):
    differs = (("longterm_only", "has_pinned"), ("page_count", "has_pinned"), ("mapcount", "longterm_only"))

    pages: int = parameter(1024, low=64, high=1 << 20, unit="pages", scale="1/64 of 256 MiB", source="assumed")
    forks: int = parameter(30, low=1, high=10_000, unit="forks")
    in_flight: float = parameter(0.1, low=0.01, high=1.0, source="assumed", help="share pinned when a fork comes")
    raced: float = parameter(0.2, low=0.0, high=1.0, source="assumed", help="share written before the child execs")
    registered: bool = parameter(False, help="one page has a long-term pin")

    def run(self, machine: Machine, rng: Generator) -> None:
        process = machine.spawn()
        machine.write(process, range(self.pages))
        if self.registered:
            machine.pin(process, range(1), write=True, longterm=True)
        for _ in range(self.forks):
            buffers = rng.choice(self.pages, size=int(self.pages * self.in_flight), replace=False)
            raced = rng.random(self.pages) < self.raced
            pin = machine.pin(process, buffers, write=True)
            child = machine.fork(process)
            machine.write(process, np.flatnonzero(raced))
            machine.exec(child)
            machine.write(process, np.flatnonzero(~raced))
            machine.device_write(pin)
            machine.release(pin)
            machine.exit(child)
