"""all_pinned: the worst case of early copies, a process that forks with all of its memory pinned (W19).

Load: L. Torvalds's test of the early-copy patch: pretend that every page is pinned, which "made fork() much
slower".
Source: the list, 25 and 26 Sep 2020; no figure was published.
Scale: 1/16 of 1 GiB; everything is pinned, one fork.
Differ: has_pinned and later copy all pages at fork, each with an allocation of its own, and then none; mapcount and
page_count fork cheaply, copy at the writes, and lose every pin. With `longterm=false` longterm_only joins them.
"""

from typing import Literal

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig
from cowbench.workload import Workload, parameter


class AllPinned(Workload):
    exact = True
    differs = (("page_count", "has_pinned"), ("mapcount", "has_pinned"))
    curve = "pages"
    points = tuple({"pages": pages} for pages in (256, 1024, 4096, 65536))

    pages: int = parameter(16384, low=16, high=1 << 22, unit="pages", scale="1/16 of 1 GiB", source="W19: 256 k pages")
    longterm: bool = parameter(True, help="pins are FOLL_LONGTERM")
    pinned: Literal["now", "once", "never"] = parameter("now", help="once: the pin is released before the fork")
    reserve: int = parameter(1024, low=0, high=1 << 22, unit="frames", source="assumed", help="for atomic early copies")

    def machine(self) -> MachineConfig:
        return MachineConfig(atomic_reserve=self.reserve)

    def run(self, machine: Machine, rng: Generator) -> None:
        everything = range(self.pages)
        parent = machine.spawn()
        machine.write(parent, everything)
        pages = everything if self.pinned != "never" else range(0)
        buffer = machine.pin(parent, pages, write=True, longterm=self.longterm)
        if self.pinned == "once":
            machine.release(buffer)
        child = machine.fork(parent)
        machine.write(parent, everything)
        if self.pinned == "now":
            machine.device_write(buffer)
        machine.read(parent, everything)
        machine.read(child, everything)
        machine.exit(child)
        if self.pinned != "once":
            machine.release(buffer)
        machine.exit(parent)
