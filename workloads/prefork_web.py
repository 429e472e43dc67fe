"""prefork_web: a Python web server loads the application once and forks workers, and reading is writing (W3).

Load: uWSGI or gunicorn: a master of 250 MB, 16 workers; each request touches pages and so writes reference counts;
the first garbage collection of a worker writes every page with a collectable object's header; workers are recycled.
Source: Instagram 2017 (shared memory falls from 250 to 140 MB in seconds; without collection a worker grows by 600
MB in 3,000 requests), CPython issue 31558 (gc.freeze). What a request touches is assumed.
Scale: memory to 1/32; the share lost to the first collection and the growth a request, in shares of the image, are
kept.
Differ: in copies eager_copy from all others by what no worker touches; always_reuse leaks from worker to worker.
The rest agree: the master maps every page and never writes, so each copy is needed. `gc=freeze` shows what the
collection costs.
"""

from typing import Literal

from numpy.random import Generator

from cowbench.machine import Machine, Process
from cowbench.workload import Workload, parameter


class PreforkWeb(Workload):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    pages: int = parameter(2048, low=256, high=1 << 20, unit="pages", scale="1/32 of 250 MB", source="Instagram 2017")
    workers: int = parameter(16, low=2, high=64, unit="processes", source="W3: 2 to 64")
    rounds: int = parameter(6, low=1, high=1000, unit="rounds", help="one worker is recycled after each")
    requests: int = parameter(10, low=1, high=10_000, unit="requests a worker and round", source="assumed")
    touched: float = parameter(0.002, low=0.0, high=0.1, source="assumed", help="share of the image a request touches")
    touch_on_read: bool = parameter(True, source="CPython", help="reading writes reference counts")
    gc: Literal["on", "off", "freeze"] = parameter("on", source="Instagram 2017; CPython issue 31558")
    collected: float = parameter(
        0.44, low=0.0, high=1.0, source="Instagram 2017: 250 to 140 MB", help="share it writes"
    )
    growth: float = parameter(1.6, low=0.0, high=64.0, unit="pages a request with gc=off", scale="1/32 of 600 MB/3,000")

    def run(self, machine: Machine, rng: Generator) -> None:
        master = machine.spawn()
        machine.write(master, range(self.pages))
        workers = [self._start(machine, master) for _ in range(self.workers)]
        access = machine.write if self.touch_on_read else machine.read
        touches, grown = int(self.pages * self.touched * self.requests), round(self.growth * self.requests)
        for round_ in range(self.rounds):
            heap = self.pages + round_ * grown
            for worker in workers:
                access(worker, rng.integers(self.pages, size=touches))
                if self.gc == "off":
                    machine.write(worker, range(heap, heap + grown))
            recycled = round_ % self.workers
            machine.exit(workers[recycled])
            workers[recycled] = self._start(machine, master)

    def _start(self, machine: Machine, master: Process) -> Process:
        worker = machine.fork(master)
        if self.gc == "on":
            machine.write(worker, range(int(self.pages * self.collected)))
        return worker
