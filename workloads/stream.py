"""stream: STREAM's four kernels, with an action before each pass that write-protects the arrays (Copy-on-Pin).

Load: c = a, b = kc, c = a + b, a = b + kc over three arrays; before each pass fork (the child exits at once),
mprotect, swap out, or swap out and fork.
Source: the artifact of Copy-on-Pin (D. Hildenbrand et al., ASPLOS 2023); 10 + 100 passes; STREAM's default arrays
of 10,000,000 doubles.
Scale: arrays to 1/10, passes to 1/10. As in the source nothing settles the pages, and the child runs on another
CPU, so that what the first filling left in the LRU batch stays there.
Differ: no page is shared when it is written, so every copy is a false positive. fork and mprotect: has_pinned and
page_count copy a batch's rest. swap: they copy every page that was read before it is written (array a), for the
swap cache refers to it. page_count_5_18 drains the batch and frees the swap cache; anon_exclusive does so, or knows
the page.
"""

from typing import Literal

from numpy.random import Generator

from cowbench.machine import Machine, Pages, Process
from cowbench.workload import Workload, parameter


class Stream(Workload):
    exact = True
    differs = (("mapcount", "has_pinned"), ("has_pinned", "page_count_5_18"), ("has_pinned", "anon_exclusive"))

    action: Literal["fork", "mprotect", "swap", "swap+fork"] = parameter("fork", source="Copy-on-Pin")
    pages: int = parameter(1953, low=16, high=1 << 20, unit="pages an array", scale="1/10 of 80 MB", source="STREAM")
    passes: int = parameter(11, low=1, high=1000, unit="passes", scale="1/10 of 10 + 100", source="Copy-on-Pin")

    def run(self, machine: Machine, rng: Generator) -> None:
        a, b, c = (range(self.pages * k, self.pages * (k + 1)) for k in range(3))
        process = machine.spawn()
        machine.write(process, range(self.pages * 3))
        for _ in range(self.passes):
            self._act(machine, process, range(self.pages * 3))
            for sources, target in (([a], c), ([c], b), ([a, b], c), ([b, c], a)):
                for source in sources:
                    machine.read(process, source)
                machine.write(process, target)

    def _act(self, machine: Machine, process: Process, everything: Pages) -> None:
        if self.action == "mprotect":
            machine.protect(process, everything)
        if self.action.startswith("swap"):
            machine.page_out(process, everything, drop=True)
        if self.action.endswith("fork"):
            child = machine.fork(process)
            machine.move(child, 1)
            machine.exit(child)
