"""vm_guest: a hypervisor with an assigned device has all guest memory pinned, and runs helper scripts (W10).

Load: VFIO or DPDK pin all guest RAM for good; QEMU marks it MADV_DONTFORK, so that a fork for a helper script
passes over it; the guest and its device go on writing, QEMU's own heap is shared with the child until it execs.
Source: QEMU's source for MADV_DONTFORK; W10 for sizes (4 to 512 GB). Shares written are assumed.
Scale: 1/1024 of 16 GiB; all of it is pinned, as in the source.
Differ: with MADV_DONTFORK only eager_copy, on QEMU's heap; no policy loses a pin. `dontfork=false` asks whether the
kernel could do without: page_count and mapcount lose pins, has_pinned and later copy the whole guest at each fork.
"""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class VmGuest(Workload):
    differs = (("eager_copy", "has_pinned"),)

    pages: int = parameter(4096, low=64, high=1 << 27, unit="pages", scale="1/1024 of 16 GiB", source="W10")
    heap: int = parameter(512, low=16, high=1 << 20, unit="pages", source="assumed", help="QEMU's own memory")
    helpers: int = parameter(6, low=1, high=1000, unit="forks", source="assumed")
    written: float = parameter(0.1, low=0.0, high=1.0, source="assumed", help="share the guest writes between forks")
    dontfork: bool = parameter(True, source="QEMU", help="MADV_DONTFORK on guest memory")

    def run(self, machine: Machine, rng: Generator) -> None:
        guest, heap = range(self.pages), range(self.pages, self.pages + self.heap)
        qemu = machine.spawn()
        machine.write(qemu, heap)
        memory = machine.pin(qemu, guest, write=True, longterm=True)
        if self.dontfork:
            machine.dontfork(qemu, guest)
        writes = int(self.pages * self.written)
        for _ in range(self.helpers):
            child = machine.fork(qemu)
            machine.write(qemu, rng.integers(heap.start, heap.stop, size=self.heap // 8))
            machine.write(qemu, rng.integers(self.pages, size=writes // 2))
            machine.exec(child)
            machine.exit(child)
            machine.write(qemu, rng.integers(self.pages, size=writes - writes // 2))
            machine.device_write(memory)
            machine.read(qemu, guest)
