"""swap_pressure: memory is swapped out and touched again, without any fork (W15, forceswap).

Load: each thread's pages are paged out, half of them are read first and then all are written, and so on.
Source: W15 (forceswap: 1 to 4,096 pages, 100,000 rounds, 2 threads; zram or pmem, or a disk with writeback).
Scale: rounds to 1/2,000; threads, each on a CPU of its own, are processes here.
Differ: nothing is ever shared, so every copy is a false positive. has_pinned and page_count copy what was read
before it was written: on a disk because of the swap cache, on a synchronous device because of the LRU batch (few,
and more the fewer pages). With backend=writeback page_count_5_18 copies all that is touched before the write has
ended.
"""

from typing import Literal

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig
from cowbench.workload import Workload, parameter


class SwapPressure(Workload):
    exact = True
    differs = (("mapcount", "has_pinned"), ("has_pinned", "page_count_5_18"), ("has_pinned", "anon_exclusive"))

    pages: int = parameter(64, low=1, high=4096, unit="pages a thread", source="W15: 1 to 4,096")
    rounds: int = parameter(50, low=1, high=100_000, unit="rounds", scale="1/2000 of 100,000", source="W15")
    threads: int = parameter(2, low=1, high=64, unit="threads", source="W15: 2")
    read_first: float = parameter(0.5, low=0.0, high=1.0, source="assumed", help="share read before it is written")
    backend: Literal["disk", "synchronous", "writeback"] = parameter("disk", source="W15")

    def machine(self) -> MachineConfig:
        return MachineConfig(cpus=max(2, self.threads), swap="synchronous" if self.backend == "synchronous" else "disk")

    def run(self, machine: Machine, rng: Generator) -> None:
        everything, first = range(self.pages), range(round(self.pages * self.read_first))
        writeback = self.backend == "writeback"
        threads = [machine.spawn(cpu=cpu) for cpu in range(self.threads)]
        for thread in threads:
            machine.write(thread, everything)
        for _ in range(self.rounds):
            for thread in threads:
                machine.page_out(thread, everything, drop=not writeback)
                if writeback:
                    machine.stage(thread, everything, "writeback", True)
                machine.read(thread, first)
                machine.write(thread, everything)
                if writeback:
                    machine.stage(thread, everything, "writeback", False)
