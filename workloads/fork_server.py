"""fork_server: a fuzzer forks a prepared program for every input (W8, AFL).

Load: the parent stops before the input is read and never writes again; each child writes some pages and is gone.
Source: On-demand-fork (Zhao, Gong, Fonseca, EuroSys 2021); bitcoin-abc's deferred fork server (60 to 7,300
inputs/s).
Scale: memory and pages written to 1/10 of 100 MB; the share a child writes is kept.
Differ: eager_copy copies all of the program for each input: its fork is what the others save. Those agree: the
child writes what the parent maps, so each copy is needed. always_reuse lets an input write the program the next one
runs.
"""

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class ForkServer(Workload):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    pages: int = parameter(2560, low=64, high=1 << 20, unit="pages", scale="1/10 of 100 MB", source="W8: to 250 k")
    inputs: int = parameter(150, low=1, high=100_000, unit="forks")
    fewest: float = parameter(0.002, low=0.0001, high=0.1, source="W8: 50 of 25 k", help="least share a child writes")
    most: float = parameter(0.08, low=0.0001, high=1.0, source="W8: 2,000 of 25 k", help="largest share a child writes")

    def run(self, machine: Machine, rng: Generator) -> None:
        server = machine.spawn()
        machine.write(server, range(self.pages))
        least, most = sorted((self.fewest, self.most))
        shares = np.exp(rng.uniform(np.log(least), np.log(most), size=self.inputs))
        for count in np.ceil(shares * self.pages).astype(int):
            child = machine.fork(server)
            machine.write(child, rng.choice(self.pages, size=count, replace=False, shuffle=False))
            machine.exit(child)
