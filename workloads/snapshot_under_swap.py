"""snapshot_under_swap: snapshot stores with less memory than they need (W2).

Load: guests of which each runs a store as in snapshot_store in 85 % of the memory it uses; a command reads a page,
one in five then writes it; reclaim evicts as many cold pages as came back; now and then a child reads everything.
Source: W2 (memory limit 1/1.17 of the use; swap on zram or NVMe; 16 guests).
Scale: 1/389 of 6,222 MiB each, 2 of 16 guests; the resident share and the shares read and written are kept.
Differ: has_pinned and page_count copy a page that was swapped in by a read, because the swap cache still refers to
it; page_count_5_18 frees the swap cache first, anon_exclusive remembers who owned it, mapcount does not look. On
`swap=synchronous` the swap cache is bypassed, and only the LRU batch is left as a cause.
"""

from typing import Literal

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig, Process
from cowbench.workload import Workload, parameter

STEPS = 4


class SnapshotUnderSwap(Workload):
    differs = (("mapcount", "has_pinned"), ("has_pinned", "page_count_5_18"), ("has_pinned", "anon_exclusive"))

    pages: int = parameter(4096, low=256, high=1 << 22, unit="pages", scale="1/389 of 6,222 MiB", source="W1")
    guests: int = parameter(2, low=1, high=64, unit="processes", scale="1/8 of 16", source="W2")
    limit: float = parameter(0.85, low=0.5, high=0.99, source="W2: 1/1.17", help="share of the memory that is resident")
    saves: int = parameter(3, low=1, high=1000, unit="forks")
    rounds: int = parameter(6, low=1, high=1000, unit="rounds a save", source="assumed")
    read: float = parameter(0.25, low=0.01, high=0.6, source="assumed", help="share of the pages read in a round")
    written: float = parameter(0.2, low=0.05, high=0.5, source="Valkey PR 905: 80/20", help="share of those written")
    swap: Literal["disk", "synchronous"] = parameter("disk", source="W2: NVMe or zram")

    def machine(self) -> MachineConfig:
        return MachineConfig(swap=self.swap)

    def run(self, machine: Machine, rng: Generator) -> None:
        stores = [machine.spawn() for _ in range(self.guests)]
        for store in stores:
            machine.write(store, range(self.pages))
            machine.page_out(store, rng.permutation(self.pages)[int(self.pages * self.limit) :], drop=True)
        for _ in range(self.saves):
            for store in stores:
                for _ in range(self.rounds):
                    self._serve(machine, store, rng)
                self._save(machine, store, rng)

    def _serve(self, machine: Machine, store: Process, rng: Generator) -> None:
        """Read and write; then evict out of the cold pages as many as were swapped in, on average."""
        order, read = rng.permutation(self.pages), int(self.pages * self.read)
        evicted = round(read * (1 - self.limit) / self.limit)
        machine.read(store, order[:read])
        machine.write(store, order[: int(read * self.written)])
        machine.page_out(store, order[read : read + evicted], drop=True)

    def _save(self, machine: Machine, store: Process, rng: Generator) -> None:
        child = machine.fork(store)
        machine.move(child, 1)
        for step in range(STEPS):
            machine.read(child, range(self.pages * step // STEPS, self.pages * (step + 1) // STEPS))
            written = rng.integers(self.pages, size=int(self.pages * self.read * self.written))
            machine.read(store, written)
            machine.write(store, written)
        machine.exit(child)
