"""pinned_once: a process that pinned memory once, long ago, and forks for ever: what the sticky bit costs.

Load: a server registers its buffers at start and gives them up again; from then on it forks helpers, and feeds some
popular pages by vmsplice into the pipes of about 1,100 clients, who come and go.
Source: the seed thread of 18 Sep 2020 (sticky bit or counter?), the comment at MMF_HAS_PINNED; the clients are
assumed.
Scale: none needed; the memory is small. clients=0 is the answer for everybody else: the sticky bit alone copies
nothing.
Differ: a popular page has more than 1,023 references, so has_pinned takes it for pinned and copies it at each fork;
pin_counter knows that nothing is; anon_exclusive looks at exclusive pages only, and these were shared with a helper
before.
"""

from collections import deque

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine, Reference
from cowbench.workload import Workload, parameter


class PinnedOnce(Workload):
    differs = (("has_pinned", "pin_counter"), ("has_pinned", "anon_exclusive"), ("has_pinned", "page_count"))

    pages: int = parameter(1024, low=64, high=1 << 20, unit="pages", source="assumed")
    forks: int = parameter(60, low=1, high=100_000, unit="forks")
    popular: int = parameter(4, low=1, high=64, unit="pages", source="assumed", help="pages that every client is sent")
    clients: int = parameter(1100, low=0, high=16384, unit="clients", source="assumed", help="mean number at a time")
    stay: int = parameter(10, low=1, high=1000, unit="forks", source="assumed", help="how long a client stays")
    written: float = parameter(0.05, low=0.0, high=1.0, source="assumed", help="share the child and the server write")

    def run(self, machine: Machine, rng: Generator) -> None:
        server, pipes = machine.spawn(), deque[Reference]()
        machine.write(server, range(self.pages))
        machine.release(machine.pin(server, range(self.pages), write=True, longterm=True))
        for _ in range(self.forks):
            arrived = int(rng.poisson(self.clients / self.stay))
            sent = np.repeat(np.arange(self.popular), arrived)
            pipes.append(machine.get(server, sent, write=False, coherent=False))
            if len(pipes) > self.stay:
                machine.release(pipes.popleft())
            child = machine.fork(server)
            written = rng.integers(self.popular, self.pages, size=int(self.pages * self.written))
            machine.write(child, written)
            machine.exit(child)
            machine.write(server, written)
