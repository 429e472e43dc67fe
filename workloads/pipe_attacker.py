"""pipe_attacker: a sandboxed child keeps shared pages in a pipe and waits for its parent to write (W13).

Load: the child vmsplices 1 to 16 pages, unmaps them and lives on; the parent writes. In half of the attacks the
parent's pages are reclaimed in between, so that the write is a swap-in. Some pipes are kept open for ever.
Source: CVE-2020-29374 (J. Horn, 27 May 2020); cow.c's vmsplice cases; v6.0.6 fs/pipe.c for a pipe's 16 pages.
Scale: none needed; a victim of 4 MiB. The shares reclaimed and kept are assumed.
Differ: mapcount leaks in every attack; has_pinned and page_count, up to 5.17, in those with a swap-in, which
counted mappings still; page_count_5_18 and anon_exclusive in none, nor forced_cow, which gave the child its own
page at once.
"""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class PipeAttacker(Workload):
    differs = (("mapcount", "forced_cow"), ("mapcount", "has_pinned"), ("has_pinned", "page_count_5_18"))

    pages: int = parameter(1024, low=64, high=1 << 20, unit="pages", source="assumed", help="memory of the victim")
    attacks: int = parameter(60, low=1, high=10_000, unit="forks")
    stolen: int = parameter(16, low=1, high=16, unit="pages", source="PIPE_DEF_BUFFERS", help="most in one pipe")
    swapped: float = parameter(0.5, low=0.0, high=1.0, source="assumed", help="share with a reclaim in between")
    kept: float = parameter(0.25, low=0.0, high=1.0, source="assumed", help="share of the pipes kept open for ever")

    def run(self, machine: Machine, rng: Generator) -> None:
        victim = machine.spawn()
        machine.write(victim, range(self.pages))
        for _ in range(self.attacks):
            count = int(rng.integers(1, self.stolen + 1))
            first = int(rng.integers(self.pages - count + 1))
            swapped, kept = rng.random(2) < (self.swapped, self.kept)
            secrets = range(first, first + count)
            child = machine.fork(victim)
            machine.move(child, 1)
            pipe = machine.get(child, secrets, write=False, coherent=False)
            machine.discard(child, secrets)
            if swapped:
                machine.page_out(victim, secrets, drop=True)
            machine.write(victim, secrets)
            machine.device_read(pipe)
            machine.exit(child)
            if not kept:
                machine.release(pipe)
