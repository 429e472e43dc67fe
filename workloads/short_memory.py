"""short_memory: a process with pinned buffers forks while memory is short: fail the fork, or share and lose?

Load: at every fork another process holds most of the memory; what is free for early copies is drawn evenly from 0
to 2 x `spare` of what is pinned. Afterwards memory is plentiful again and the process writes its buffers.
Source: the seed thread of 18 Sep 2020 ("current patch silently kept the shared page"); sizes are assumed.
Scale: none needed; only the ratios count.
Differ: has_pinned lets fork fail; with on_failure=share fork works and every page without an early copy loses its
pin at the next write; page_count loses them all.
"""

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig
from cowbench.workload import Workload, parameter


class ShortMemory(Workload):
    differs = (("page_count", "has_pinned"), ("has_pinned", "has_pinned:on_failure=share"))

    pages: int = parameter(256, low=16, high=1 << 16, unit="pages", source="assumed")
    pinned: float = parameter(0.5, low=0.01, high=1.0, source="assumed", help="share of them pinned")
    forks: int = parameter(40, low=1, high=10_000, unit="forks")
    spare: float = parameter(0.6, low=0.0, high=4.0, source="assumed", help="mean memory free at fork over pinned")

    def machine(self) -> MachineConfig:
        return MachineConfig(frames=self.pages + 8 * int(self.pages * self.pinned) + 64)

    def run(self, machine: Machine, rng: Generator) -> None:
        held, frames = int(self.pages * self.pinned), self.machine().frames
        process = machine.spawn()
        machine.write(process, range(self.pages))
        for _ in range(self.forks):
            pin = machine.pin(process, range(held), write=True, longterm=True)
            free = int(rng.random() * 2 * self.spare * held)
            hog = machine.spawn()
            machine.write(hog, range(frames - self.pages - free))
            child = machine.fork(process)
            machine.exit(hog)
            machine.write(process, range(held))
            machine.exec(child)
            machine.device_write(pin)
            machine.release(pin)
            machine.exit(child)
