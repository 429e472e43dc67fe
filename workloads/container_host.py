"""container_host: a runtime with pinned buffers forks containers into memory cgroups of their own: who pays?

Load: a container runtime or zygote in group 1 holds registered buffers and forks container after container, each
into its own group (CLONE_INTO_CGROUP, or fork with copy_namespaces before copy_mm); the oldest ends when the
next would be too many.
Source: the seed thread of 18 Sep 2020 ("charge ... onto the new mm"); sizes are assumed.
Scale: 1/64 of 32 MiB a runtime.
Differ: has_pinned copies the buffers for every child and one group is charged for them: the runtime's, or with
charge=child the container's. page_count copies nothing at fork and loses the pins. With a limit on one group, only
the forks charged to it fail.
"""

from collections import deque

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig, Process
from cowbench.workload import Workload, parameter

RUNTIME = 1
"""The runtime's memory cgroup; containers have the next ones."""


class ContainerHost(Workload):
    differs = (("page_count", "has_pinned"), ("has_pinned", "has_pinned:charge=child"))

    pages: int = parameter(128, low=16, high=1 << 16, unit="pages", scale="1/64 of 32 MiB", source="assumed")
    pinned: float = parameter(0.25, low=0.0, high=1.0, source="assumed", help="share in registered buffers")
    containers: int = parameter(40, low=1, high=4000, unit="forks", source="assumed")
    alive: int = parameter(8, low=1, high=64, unit="processes", source="assumed", help="containers at a time")
    written: float = parameter(0.1, low=0.0, high=1.0, source="assumed", help="share each side writes")
    runtime_spare: int = parameter(-1, low=-1, high=1 << 20, unit="pages", help="limit beyond its own; -1: none")
    container_limit: int = parameter(-1, low=-1, high=1 << 20, unit="pages", help="limit of a container; -1: none")

    def machine(self) -> MachineConfig:
        limits = {} if self.runtime_spare < 0 else {RUNTIME: self.pages + self.runtime_spare}
        if self.container_limit >= 0:
            limits |= {RUNTIME + slot: self.container_limit for slot in range(1, self.alive + 1)}
        return MachineConfig(memcg_limits=limits)

    def run(self, machine: Machine, rng: Generator) -> None:
        runtime, running = machine.spawn(memcg=RUNTIME), deque[Process]()
        machine.write(runtime, range(self.pages))
        buffers = machine.pin(runtime, range(int(self.pages * self.pinned)), write=True, longterm=True)
        for number in range(self.containers):
            if len(running) == self.alive:
                machine.exit(running.popleft())
            container = machine.fork(runtime, memcg=RUNTIME + 1 + number % self.alive)
            running.append(container)
            machine.write(container, np.flatnonzero(rng.random(self.pages) < self.written))
            machine.device_write(buffers)
        while running:
            machine.exit(running.popleft())
        machine.release(buffers)
        machine.exit(runtime)
