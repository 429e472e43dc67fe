"""snapshot_store: an in-memory store forks, and the child streams the snapshot to disk (W1, Redis or Valkey BGSAVE).

Load: 3 million keys of 2,000 bytes, 20,000 commands a second of which 20 % write; every save the child reads all
memory once, front to back, while the parent goes on serving.
Source: redis-doc@1044224 (latency), Redis PR 15260 (COW 1,127 of 6,222 MB: 18 %), Valkey PR 905 and issue 4378
(80/20 uniform). Pages touched by a write are fitted to those 18 %; the disk's speed is an assumption.
Scale: memory, commands and disk to 1/194; seconds stay seconds, so the share written in a child's life is kept.
Differ: in copies eager_copy from all others, for it copies what is never written; always_reuse leaks into the
snapshot. Those between differ by a page or two that waits in an LRU batch. `frees` saves copies: the child hands
pages back.
"""

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter

STEPS = 16


class SnapshotStore(Workload):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    pages: int = parameter(8192, low=1024, high=1 << 24, unit="pages", scale="1/194 of 6,222 MiB", source="PR 15260")
    saves: int = parameter(6, low=1, high=1000, unit="forks")
    every: float = parameter(60.0, low=0.1, high=3600.0, unit="s", source="save points: 60 to 3600 s")
    disk: float = parameter(250.0, low=10.0, high=1e6, unit="pages/s", scale="1/194 of 200 MB/s", source="assumed")
    commands: float = parameter(103.0, low=1.0, high=1e6, unit="1/s", scale="1/194 of 20,000/s", source="Valkey 4378")
    written: float = parameter(0.2, low=0.05, high=0.5, source="Valkey PR 905: 80/20", help="share of writing commands")
    touched: float = parameter(2.4, low=1.0, high=8.0, unit="pages a write", source="fitted to PR 15260: 18 % copied")
    skew: float = parameter(0.0, low=0.0, high=0.99, source="uniform to YCSB's 0.99", help="exponent of key popularity")
    frees: bool = parameter(False, source="PR 15260", help="the child gives back what it has written out")

    def run(self, machine: Machine, rng: Generator) -> None:
        popularity = (np.arange(1.0, self.pages + 1) ** -self.skew).cumsum()
        popularity /= popularity[-1]
        store = machine.spawn()

        def serve(seconds: float) -> None:
            count = round(self.commands * self.written * self.touched * seconds)
            machine.write(store, np.searchsorted(popularity, rng.random(count)))

        machine.write(store, range(self.pages))
        life = self.pages / self.disk
        for _ in range(self.saves):
            child = machine.fork(store)
            machine.move(child, 1)
            for step in range(STEPS):
                part = range(self.pages * step // STEPS, self.pages * (step + 1) // STEPS)
                machine.read(child, part)
                if self.frees:
                    machine.discard(child, part)
                serve(life / STEPS)
            machine.exit(child)
            serve(max(0.0, self.every - life))
