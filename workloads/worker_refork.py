"""worker_refork: a Ruby server replaces its workers by children of one that is warm (W4, Pitchfork).

Load: 16 workers fork from a mold; what they write while they warm up falls off exponentially; after each generation
a warm worker's child becomes the mold, and all workers are forked anew from it.
Source: Shopify, 23 Oct 2023 (20 generations between deploys; 30 % less memory). The writes themselves are assumed.
Scale: 1/128 of 128 k pages, 8 of 16 workers; generations, and shares written, are kept.
Differ: eager_copy copies every page of every worker; always_reuse leaks. The rest agree: the mold maps every page
and never writes, so each copy is needed, however long the chain of forks behind it.
"""

from math import exp

from numpy.random import Generator

from cowbench.machine import Machine, Process
from cowbench.workload import Workload, parameter


class WorkerRefork(Workload):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    pages: int = parameter(1024, low=64, high=1 << 20, unit="pages", scale="1/128 of 128 k", source="W4")
    workers: int = parameter(8, low=2, high=64, unit="processes", scale="1/2 of 16", source="Shopify 2023")
    generations: int = parameter(20, low=1, high=100, unit="generations", source="Shopify 2023: requests 500 to 4,600")
    first: float = parameter(0.4, low=0.0, high=1.0, source="assumed", help="page writes of a cold worker, per page")
    decay: float = parameter(4.0, low=0.5, high=50.0, unit="generations", source="assumed", help="warm-up falls to 1/e")
    private: int = parameter(16, low=1, high=1 << 16, unit="pages", scale="1/128 of 8 MiB", source="assumed")

    def run(self, machine: Machine, rng: Generator) -> None:
        mold = machine.spawn()
        machine.write(mold, range(self.pages))
        for generation in range(self.generations):
            workers = [machine.fork(mold) for _ in range(self.workers)]
            writes = int(self.pages * self.first * exp(-generation / self.decay))
            for worker in workers:
                self._serve(machine, worker, writes, rng)
            machine.exit(mold)
            mold = machine.fork(workers[0])
            for worker in workers:
                machine.exit(worker)

    def _serve(self, machine: Machine, worker: Process, writes: int, rng: Generator) -> None:
        machine.write(worker, rng.integers(self.pages, size=writes))
        machine.write(worker, range(self.pages, self.pages + self.private))
