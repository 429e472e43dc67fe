"""many_references: pages with about 1,024 FOLL_GETs in a process that pinned once: when do they look pinned?

Load: a server has sent the same pages by vmsplice into the pipes of many clients; it pinned memory once, long ago,
and forks a helper.
Source: GUP_PIN_COUNTING_BIAS and Documentation/core-api/pin_user_pages.rst (false positives).
Scale: few pages, all the references.
Differ: from 1,023 references on, with the one mapping, has_pinned copies every page at fork; pin_counter and pin_exact
know that nothing is pinned; anon_exclusive counts fork's own reference as well, so it begins one earlier.
"""

import numpy as np
from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class ManyReferences(Workload):
    exact = True
    differs = (("has_pinned", "pin_counter"), ("has_pinned", "pin_exact"), ("has_pinned", "page_count"))

    pages: int = parameter(8, low=1, high=1024, unit="pages", source="assumed")
    gets: int = parameter(1100, low=0, high=8192, unit="references a page", source="W6: at least 1,023")

    def run(self, machine: Machine, rng: Generator) -> None:
        server = machine.spawn()
        machine.write(server, range(self.pages))
        machine.drain(0)
        machine.release(machine.pin(server, range(self.pages), write=True))
        sent = np.repeat(np.arange(self.pages), self.gets)
        pipes = machine.get(server, sent, write=False, coherent=False)
        helper = machine.fork(server)
        machine.exit(helper)
        machine.release(pipes)
        machine.exit(server)
