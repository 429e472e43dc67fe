"""zygote: Android forks its apps from a warm process and never execs, and one of them is hostile (W6, CVE-2020-29374).

Load: a zygote forks apps that drop their privileges; each app dirties the zygote's heap; the oldest cached app is
killed. Before a fork the zygote may purge the free part of its heap; after it it goes on writing the heap. A
hostile app vmsplices heap pages before it writes them and unmaps them: with everybody else on copies of his own,
the zygote's next write must not reach them.
Source: ART and framework commits (heap 9.06 MB, of which a purge saves 624 KiB); J. Horn's report of
CVE-2020-29374.
Scale: memory to 1/10 of 20 k pages, the number of apps as it is; the heap's share of the image is kept.
Differ: mapcount leaks, for the zygote is the only mapper; forced_cow and all later ones do not. eager_copy copies
all.
"""

from numpy.random import Generator

from cowbench.machine import Machine, Process
from cowbench.workload import Workload, parameter


class Zygote(Workload):
    differs = (("mapcount", "forced_cow"), ("mapcount", "has_pinned"), ("eager_copy", "has_pinned"))

    pages: int = parameter(2048, low=256, high=1 << 16, unit="pages", scale="1/10 of 20 k", source="W6")
    apps: int = parameter(50, low=2, high=2000, unit="forks", source="W6: 20 to 200")
    cached: int = parameter(16, low=1, high=2000, unit="processes", source="assumed", help="apps kept alive")
    heap: float = parameter(0.116, low=0.01, high=0.5, source="ART: 9.06 MB of 80 MB", help="share all apps dirty")
    purged: float = parameter(0.07, low=0.0, high=0.5, source="ART: 624 KiB of 9.06 MB", help="share of it purged")
    written: float = parameter(
        0.05, low=0.0, high=1.0, source="assumed", help="share of the image an app writes besides"
    )
    hostile: float = parameter(0.1, low=0.0, high=1.0, source="assumed", help="share of the apps that attack")
    stolen: int = parameter(16, low=1, high=16, unit="pages", source="PIPE_DEF_BUFFERS: a default pipe holds 16")

    def run(self, machine: Machine, rng: Generator) -> None:
        zygote, alive = machine.spawn(), list[Process]()
        machine.write(zygote, range(self.pages))
        heap = int(self.pages * self.heap)
        purged, stolen = int(heap * self.purged), min(self.stolen, heap // 2)
        for _ in range(self.apps):
            machine.discard(zygote, range(purged))
            app = machine.fork(zygote)
            machine.move(app, 1)
            if rng.random() < self.hostile:
                first = int(rng.integers(purged, heap - stolen + 1))
                secrets = range(first, first + stolen)
                machine.get(app, secrets, write=False, coherent=False)
                machine.discard(app, secrets)
            machine.write(app, range(heap))
            machine.write(app, rng.integers(heap, self.pages, size=int(self.pages * self.written)))
            machine.write(zygote, range(heap))
            alive.append(app)
            if len(alive) > self.cached:
                machine.exit(alive.pop(0))
