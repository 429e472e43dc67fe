"""write_fault_duration: what a write to a write-protected page costs when nobody shares it (Copy-on-Pin's benchmark).

Load: fill 1 GiB, then again and again mprotect it read-only and read-write and touch every page.
Source: the artifact of Copy-on-Pin (D. Hildenbrand et al., ASPLOS 2023), write-fault-duration: 10 + 100 passes.
Scale: 1/16 of 1 GiB, 1/10 of the passes. As in the source nothing settles the pages, so the last few of the first
filling still wait in the LRU batch: the size modulo 15 (up to 6.8).
Differ: page_count and has_pinned copy pages that the LRU batch still holds; page_count_5_18 drains it first;
mapcount does not look. anon_exclusive reuses without counting, and from 6.1 on takes no fault at all, because
mprotect maps its pages writable at once.
"""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class WriteFaultDuration(Workload):
    exact = True
    differs = (("mapcount", "page_count"), ("has_pinned", "page_count_5_18"), ("has_pinned", "anon_exclusive"))

    pages: int = parameter(16384, low=16, high=1 << 22, unit="pages", scale="1/16 of 1 GiB", source="Copy-on-Pin")
    passes: int = parameter(11, low=1, high=1000, unit="passes", scale="1/10 of 10 + 100", source="Copy-on-Pin")

    def run(self, machine: Machine, rng: Generator) -> None:
        everything = range(self.pages)
        process = machine.spawn()
        machine.write(process, everything)
        for _ in range(self.passes):
            machine.protect(process, everything)
            machine.write(process, everything)
        machine.exit(process)
