"""pin_window: short pins begin at random times and some are held across a fork: what is lost, as a rate.

Load: pins begin as a Poisson process, `rate` of them in the time between two forks, and each is held for `hold` of
that time; the process may write a pinned page after the fork and before its pin ends; the child execs.
Source: the seed thread of 18 Sep 2020 (should PIN without LONGTERM copy too?); the rates are assumed, to be swept.
Scale: none needed; only the ratios count.
Differ: rate x hold pins are live at a fork (M/G/infinity), so page_count and longterm_only lose rate x hold x written
pins a fork; has_pinned and pin_counter copy rate x hold pages a fork instead and lose none. With `longterm` the mm
is marked and longterm_only does as has_pinned.
"""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class PinWindow(Workload):
    differs = (("longterm_only", "has_pinned"), ("page_count", "has_pinned"), ("mapcount", "has_pinned"))

    pages: int = parameter(1024, low=64, high=1 << 20, unit="pages", source="assumed")
    forks: int = parameter(100, low=1, high=100_000, unit="forks")
    rate: float = parameter(4.0, low=0.0, high=32.0, unit="pins a fork", source="assumed", help="pins begun per fork")
    hold: float = parameter(0.1, low=0.0, high=1.0, source="assumed", help="hold time over time between forks")
    written: float = parameter(0.5, low=0.0, high=1.0, source="assumed", help="chance of a write while it can be lost")
    longterm: bool = parameter(False, help="pins are FOLL_LONGTERM")

    def run(self, machine: Machine, rng: Generator) -> None:
        process = machine.spawn()
        machine.write(process, range(self.pages))
        for _ in range(self.forks):
            across, within = rng.poisson(self.rate * self.hold), rng.poisson(self.rate * (1 - self.hold))
            begun = min(across + within, self.pages)
            pages = rng.choice(self.pages, size=begun, replace=False)
            held, others = pages[:across], pages[across:]
            raced = rng.random(len(held)) < self.written
            pin = machine.pin(process, held, write=True, longterm=self.longterm)
            child = machine.fork(process)
            machine.write(process, held[raced])
            machine.exec(child)
            machine.device_write(pin)
            machine.release(pin)
            machine.exit(child)
            short = machine.pin(process, others, write=True, longterm=self.longterm)
            machine.device_write(short)
            machine.release(short)
