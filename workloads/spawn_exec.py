"""spawn_exec: a shell, a build or an agent starts program after program (W7).

Load: a small process forks; the child writes a few pages (stack, errno) and execs within a millisecond; other
threads of the parent write the parent's hot pages before the exec and after it. Now and then the scheduler moves
the parent.
Source: lmbench lat_proc, unixbench spawn and execl for the shape; rates, lives and writes are W7's assumptions.
Scale: none, a shell is small; `pages=1000000` is a JVM or a CI agent.
Differ: the copies of one round wait in the LRU batch of the parent's CPU, where the next round finds them:
has_pinned and page_count copy them again, page_count_5_18 drains its own CPU's batch first, mapcount does not look.
After a move they wait on another CPU, and anon_exclusive copies them too, since fork took their exclusive mark.
"""

from numpy.random import Generator

from cowbench.machine import Machine, MachineConfig
from cowbench.workload import Workload, parameter


class SpawnExec(Workload):
    differs = (
        ("mapcount", "has_pinned"),
        ("has_pinned", "page_count_5_18"),
        ("anon_exclusive", "oracle"),
        ("eager_copy", "has_pinned"),
    )

    pages: int = parameter(2048, low=64, high=1 << 20, unit="pages", source="W7: 500 to 5 k, or 1 M")
    spawns: int = parameter(100, low=1, high=100_000, unit="forks")
    rate: float = parameter(1000.0, low=100.0, high=5000.0, unit="forks/s", source="W7")
    child_life: float = parameter(0.0005, low=0.0, high=0.001, unit="s", source="W7: 0.2 to 1 ms", help="until exec")
    child_writes: int = parameter(30, low=10, high=50, unit="pages", source="W7: 10 to 50")
    hot: int = parameter(16, low=4, high=64, unit="pages", source="assumed", help="pages the parent keeps writing")
    writes: int = parameter(6, low=0, high=1000, unit="page writes a spawn", source="assumed")
    cpus: int = parameter(4, low=2, high=64, unit="CPUs", source="assumed")
    migrated: float = parameter(0.2, low=0.0, high=1.0, source="assumed", help="chance that the parent changes CPU")

    def machine(self) -> MachineConfig:
        return MachineConfig(cpus=self.cpus)

    def run(self, machine: Machine, rng: Generator) -> None:
        early = round(self.writes * min(1.0, self.child_life * self.rate))
        parent = machine.spawn()
        machine.write(parent, range(self.pages))
        for _ in range(self.spawns):
            if rng.random() < self.migrated:
                machine.move(parent, int(rng.integers(self.cpus)))
            child = machine.fork(parent)
            machine.move(child, int(rng.integers(self.cpus)))
            machine.write(child, rng.integers(self.pages, size=self.child_writes))
            machine.write(parent, rng.integers(self.hot, size=early))
            machine.exec(child)
            machine.write(parent, rng.integers(self.hot, size=self.writes - early))
            machine.exit(child)
