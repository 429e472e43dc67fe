"""database_prefork: a database forks a backend for each connection; the control with forks (W18, PostgreSQL).

Load: shared buffers are shared memory and no concern of copy-on-write; the postmaster's private megabytes are
inherited; a backend writes some of them and more pages of its own, and goes when its client does.
Source: W18, all figures assumed: 2 to 10 MB and 200 to 1,000 pages written a backend, 100 to 500 backends.
Scale: memory and backends to 1/4; the share of the inherited memory that a backend writes is kept.
Differ: nobody but the two bounds. The postmaster maps everything and never writes, so each copy is needed and each
policy makes it at the same write; eager_copy copies the rest too, always_reuse leaks.
"""

from numpy.random import Generator

from cowbench.machine import Machine, Process
from cowbench.workload import Workload, parameter


class DatabasePrefork(Workload):
    control = True

    pages: int = parameter(320, low=64, high=1 << 16, unit="pages", scale="1/4 of 5 MB", source="W18: 2 to 10 MB")
    connections: int = parameter(100, low=1, high=100_000, unit="forks")
    backends: int = parameter(50, low=1, high=1000, unit="processes", scale="1/4 of 200", source="W18: 100 to 500")
    fewest: int = parameter(
        50, low=1, high=1 << 16, unit="pages", scale="1/4 of 200", source="W18", help="least written"
    )
    most: int = parameter(
        250, low=1, high=1 << 16, unit="pages", scale="1/4 of 1,000", source="W18", help="most written"
    )
    inherited: float = parameter(
        0.5, low=0.0, high=1.0, source="assumed", help="share of the writes to inherited memory"
    )

    def run(self, machine: Machine, rng: Generator) -> None:
        postmaster, backends = machine.spawn(), list[Process]()
        machine.write(postmaster, range(self.pages))
        for writes in rng.integers(min(self.fewest, self.most), self.most + 1, size=self.connections):
            backend = machine.fork(postmaster)
            inherited = round(float(writes) * self.inherited)
            machine.write(backend, rng.integers(self.pages, size=inherited))
            machine.write(backend, range(self.pages, self.pages + int(writes) - inherited))
            backends.append(backend)
            if len(backends) > self.backends:
                machine.exit(backends.pop(int(rng.integers(len(backends)))))
