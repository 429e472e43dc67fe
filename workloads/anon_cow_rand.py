"""anon_cow_rand: children write all that their parent filled, in random order (vm-scalability case-anon-cow-rand).

Load: as anon_cow_seq, with `--random`: each child writes R/8 words at uniformly random places, 512 a page on
average, so that every page is written; what copy-on-write sees is the order of first writes, a random permutation.
Source: intel/lkp-tests@bbbc29c, vm-scalability; T from Copy-on-Pin (D. Hildenbrand et al., ASPLOS 2023).
Scale: 1/64 (U = T x 16 MiB). The children run side by side, in turns.
Differ: as anon_cow_seq: copies = T x R for every policy but always_reuse; eager_copy makes them at fork.
"""

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter

TURNS = 8


class AnonCowRand(Workload):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    tasks: int = parameter(4, low=1, high=64, unit="children", source="Copy-on-Pin: 2 to 12")
    unit: int = parameter(4096, low=64, high=1 << 18, unit="pages a child", scale="1/64 of 1 GiB", source="Copy-on-Pin")

    def run(self, machine: Machine, rng: Generator) -> None:
        pages = self.unit * self.tasks // (self.tasks + 1)
        parent = machine.spawn()
        machine.write(parent, range(pages))
        children = [machine.fork(parent) for _ in range(self.tasks)]
        orders = [np.array_split(rng.permutation(pages), TURNS) for _ in children]
        for turn in range(TURNS):
            for child, order in zip(children, orders, strict=True):
                machine.write(child, order[turn])
        for child in children:
            machine.exit(child)
        machine.exit(parent)
