"""direct_io_race: direct reads and writes into pages that another thread writes, while the process forks (W12).

Load: O_DIRECT buffers of 512 bytes, so that the other bytes of their pages belong to somebody else; requests take
their reference before or after a fork; the other thread and the child write the same pages while the device works.
Source: the O_DIRECT tests 1 to 3 of Copy-on-Pin's artifact; J. Kara on data lost by O_DIRECT and fork.
Scale: none needed; forks back to back, requests of 20 to 200 us and a fork of the same order: half are held across
one.
Differ: reference=get (O_DIRECT up to 6.4): has_pinned, anon_exclusive and all between lose what is written after
the fork; mapcount only what is written while the child lives; the oracle and eager_copy nothing. reference=pin
(from 6.5): only page_count and longterm_only, and mapcount, still lose; has_pinned and later copy early.
"""

from typing import Literal

from numpy.random import Generator

from cowbench.machine import Machine, Pages, Process, Reference
from cowbench.workload import Workload, parameter


class DirectIoRace(Workload):
    differs = (("mapcount", "has_pinned"), ("anon_exclusive", "oracle"), ("eager_copy", "has_pinned"))

    reference: Literal["get", "pin"] = parameter("get", source="get up to 6.4, pin from 6.5 (block/bio.c)")
    pages: int = parameter(
        256, low=16, high=1 << 20, unit="pages", source="assumed", help="pages with a buffer in them"
    )
    requests: int = parameter(60, low=1, high=100_000, unit="forks", help="batches of requests, a fork in each")
    depth: int = parameter(16, low=1, high=16, unit="pages", source="assumed", help="queue depth: pages in a batch")
    held: float = parameter(
        0.5, low=0.0, high=1.0, source="W12: 20 to 200 us", help="chance to be held across the fork"
    )
    reading: float = parameter(
        0.5, low=0.0, high=1.0, source="assumed", help="share that reads: the device writes memory"
    )
    raced: float = parameter(0.5, low=0.0, high=1.0, source="assumed", help="share written while the child lives")

    def run(self, machine: Machine, rng: Generator) -> None:
        process = machine.spawn()
        machine.write(process, range(self.pages))
        for _ in range(self.requests):
            buffers = rng.choice(self.pages, size=self.depth, replace=False)
            held, reading = rng.random(2) < (self.held, self.reading)
            raced = rng.random(self.depth) < self.raced
            if held:
                reference = self._take(machine, process, buffers, bool(reading))
            child = machine.fork(process)
            if not held:
                reference = self._take(machine, process, buffers, bool(reading))
            machine.write(process, buffers[raced])
            machine.write(child, buffers[raced])
            machine.exit(child)
            machine.write(process, buffers[~raced])
            if reading:
                machine.device_write(reference)
            machine.device_read(reference)
            machine.release(reference)

    def _take(self, machine: Machine, process: Process, pages: Pages, write: bool) -> Reference:
        take = machine.get if self.reference == "get" else machine.pin
        return take(process, pages, write=write)
