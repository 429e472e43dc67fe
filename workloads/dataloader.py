"""dataloader: worker processes read a list of Python objects, and so copy it (W5, PyTorch DataLoader).

Load: a data set of small objects in the parent, 4 to 8 workers started anew each epoch, items in random order; each
page holds many items, so that every worker reads every page; a read writes a reference count.
Source: pytorch issue 5902 (5 GB grow to 17 GB in half an hour once workers > 0).
Scale: memory to 1/298 of 5 GB; each worker still reads everything once an epoch.
Differ: hardly in copies, which is the point: with `payload=objects` copy-on-write ends where eager_copy begins,
only later and page by page. With `payload=numpy` only the headers are written. always_reuse leaks.
"""

from typing import Literal

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter

TURNS = 8


class Dataloader(Workload):
    differs = (("always_reuse", "has_pinned"), ("eager_copy", "has_pinned"))

    pages: int = parameter(4096, low=64, high=1 << 21, unit="pages", scale="1/298 of 5 GB", source="pytorch 5902")
    workers: int = parameter(4, low=1, high=32, unit="processes", source="W5: 4 to 8")
    epochs: int = parameter(3, low=1, high=100, unit="epochs", source="assumed")
    payload: Literal["objects", "numpy"] = parameter("objects", help="objects: every page has reference counts")
    headers: float = parameter(0.02, low=0.0, high=1.0, source="assumed", help="share of pages with headers in numpy")

    def run(self, machine: Machine, rng: Generator) -> None:
        parent = machine.spawn()
        machine.write(parent, range(self.pages))
        counted = self.pages if self.payload == "objects" else int(self.pages * self.headers)
        for _ in range(self.epochs):
            workers = [machine.fork(parent) for _ in range(self.workers)]
            orders = [np.array_split(rng.permutation(self.pages), TURNS) for _ in workers]
            for turn in range(TURNS):
                for worker, order in zip(workers, orders, strict=True):
                    items = order[turn]
                    machine.read(worker, items)
                    machine.write(worker, items[items < counted])
            for worker in workers:
                machine.exit(worker)
