"""anon_cow_seq: children write all that their parent filled, front to back (vm-scalability case-anon-cow-seq).

Load: `usemem -n T --prealloc --prefault U/(T+1)`: the parent fills R = U/(T+1) bytes and forks T children; each of
them writes all of R in steps of 8 bytes; the parent stays and never writes. U is T GiB in the artifact of
Copy-on-Pin.
Source: intel/lkp-tests@bbbc29c, vm-scalability; T from Copy-on-Pin (D. Hildenbrand et al., ASPLOS 2023).
Scale: 1/16 (U = T x 64 MiB). The children run side by side, in turns.
Differ: copies = T x R for every policy but always_reuse, because the parent keeps mapping R; eager_copy makes the
same ones at fork. A policy that copies more or fewer is wrong.
"""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter

TURNS = 8


class AnonCowSeq(Workload):
    exact = True
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    tasks: int = parameter(4, low=1, high=64, unit="children", source="Copy-on-Pin: 2 to 12")
    unit: int = parameter(
        16384, low=64, high=1 << 18, unit="pages a child", scale="1/16 of 1 GiB", source="Copy-on-Pin"
    )

    def run(self, machine: Machine, rng: Generator) -> None:
        pages = self.unit * self.tasks // (self.tasks + 1)
        parent = machine.spawn()
        machine.write(parent, range(pages))
        children = [machine.fork(parent) for _ in range(self.tasks)]
        for turn in range(TURNS):
            part = range(pages * turn // TURNS, pages * (turn + 1) // TURNS)
            for child in children:
                machine.write(child, part)
        for child in children:
            machine.exit(child)
        machine.exit(parent)
