"""no_fork: compute without fork, swap or pins; the control in which no policy may differ (W20).

Load: a SPEC-like program: fills its memory, reads and writes in it, frees and allocates again.
Source: the artifact of Copy-on-Pin (D. Hildenbrand et al., ASPLOS 2023) runs SPEC for this reason. Shares are
assumed.
Scale: 1/64 of 1 GiB.
Differ: nobody. No page is ever read-only while it is mapped, so no policy is asked anything.
"""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class NoFork(Workload):
    control = True

    pages: int = parameter(4096, low=64, high=1 << 22, unit="pages", scale="1/64 of 1 GiB", source="assumed")
    passes: int = parameter(10, low=1, high=1000, unit="passes", source="assumed")
    written: float = parameter(0.3, low=0.0, high=1.0, source="assumed", help="share of the accesses that write")
    freed: float = parameter(0.1, low=0.01, high=1.0, source="assumed", help="share of the memory freed in each pass")

    def run(self, machine: Machine, rng: Generator) -> None:
        writes, freed = int(self.pages * self.written), max(1, int(self.pages * self.freed))
        process = machine.spawn()
        machine.write(process, range(self.pages))
        for _ in range(self.passes):
            accesses = rng.integers(self.pages, size=self.pages)
            machine.write(process, accesses[:writes])
            machine.read(process, accesses[writes:])
            first = int(rng.integers(self.pages - freed + 1))
            machine.discard(process, range(first, first + freed))
            machine.write(process, range(first, first + freed))
        machine.exit(process)
