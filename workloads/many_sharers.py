"""many_sharers: a process that pinned memory once forks more than 1,023 children who all stay.

Load: a few pages are pinned and released; then children are forked one after the other and none exits. The
children's mappings alone bring a page to 1,024 references, which is what one pin adds.
Source: GUP_PIN_COUNTING_BIAS and Documentation/core-api/pin_user_pages.rst; W6's stress case of a zygote.
Scale: few pages, all the children.
Differ: from child number 1,024 on has_pinned copies every page at each fork, longterm_only too if `longterm`;
pin_counter knows that no pin is left; for anon_exclusive a shared page is not exclusive and cannot be pinned;
page_count never asks.
"""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class ManySharers(Workload):
    exact = True
    differs = (
        ("has_pinned", "pin_counter"),
        ("has_pinned", "longterm_only"),
        ("has_pinned", "anon_exclusive"),
        ("has_pinned", "page_count"),
    )
    curve = "children"
    points = tuple(
        {"pages": 256, "children": children, "longterm": True}  # programs cannot hold a short pin on a real kernel
        for children in (1, 32, 256, 1023, 1024, 2048)
    )

    pages: int = parameter(8, low=1, high=1024, unit="pages", source="assumed")
    children: int = parameter(1100, low=1, high=8192, unit="forks", source="W6: at least 1,023 to hit the bias")
    longterm: bool = parameter(False, help="the pin of long ago was FOLL_LONGTERM")

    def run(self, machine: Machine, rng: Generator) -> None:
        parent = machine.spawn()
        machine.write(parent, range(self.pages))
        machine.drain(0)
        machine.release(machine.pin(parent, range(self.pages), write=True, longterm=self.longterm))
        for _ in range(self.children):
            machine.fork(parent)
        machine.write(parent, range(self.pages))
