"""uring_server: a threaded server with io_uring fixed buffers forks a child for each batch of requests (W11).

Load: buffers of 64 KiB registered for good (FOLL_LONGTERM, for writing), with the heap above them; while fork walks
the memory, another thread stores into a buffer page and then into a heap page, over and over. After the fork the
server writes some buffer pages while the child lives; then the child goes, and the ring fills a buffer.
Source: J. Horn, 3 and 4 Jun 2025 (reproducer of the torn snapshot); cow.c's io_uring cases; io_uring's limits.
Scale: 16 buffers, as few as W11 has; heap and rates are assumed; one fork a batch.
Differ: page_count loses every pin written after the fork, mapcount those written while the child lives; has_pinned
and later lose none, but tear: a buffer page is copied early and stays writable, so the child gets an old buffer
page with a new heap page. eager_copy tears as well; `freeze_writers` mends it.
"""

from numpy.random import Generator

from cowbench.machine import During, Machine
from cowbench.workload import Workload, parameter


class UringServer(Workload):
    differs = (
        ("page_count", "has_pinned"),
        ("mapcount", "has_pinned"),
        ("anon_exclusive", "anon_exclusive:freeze_writers=true"),
    )

    buffers: int = parameter(16, low=1, high=1024, unit="buffers", source="W11: 16 to 1,024")
    size: int = parameter(16, low=16, high=256, unit="pages a buffer", source="W11: 64 KiB to 1 MiB")
    heap: int = parameter(1024, low=64, high=1 << 20, unit="pages", source="assumed")
    batches: int = parameter(40, low=1, high=10_000, unit="forks", help="batches of requests")
    stores: int = parameter(
        8, low=1, high=1000, unit="pairs of stores", source="assumed", help="of the writer during fork"
    )
    raced: float = parameter(0.1, low=0.0, high=1.0, source="assumed", help="share of the buffers written by then")

    def run(self, machine: Machine, rng: Generator) -> None:
        fixed = self.buffers * self.size
        end = fixed + self.heap
        server = machine.spawn()
        machine.write(server, range(end))
        ring = [
            machine.pin(server, range(first, first + self.size), write=True, longterm=True)
            for first in range(0, fixed, self.size)
        ]
        for batch in range(self.batches):
            pairs = rng.integers([0, fixed], [fixed, end], size=(self.stores, 2))
            writer = During(at=int(rng.integers(end)), kind="write", pages=pairs.ravel())
            child = machine.fork(server, during=[writer])
            machine.write(server, rng.choice(fixed, size=int(fixed * self.raced), replace=False))
            machine.read(child, range(end))
            machine.write(child, rng.integers(fixed, end, size=self.heap // 8))
            machine.exit(child)
            machine.device_write(ring[batch % self.buffers])
            machine.write(server, range(end))
