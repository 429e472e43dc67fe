"""redis_bgsave: a recording of Redis that saves three snapshots while it is written to at three rates.

Load: Debian's Redis 7.0.15 with 40,000 keys of 500 bytes; SETs of uniform keys at 910, 4,400 and 17,300 a second, and
at each rate one BGSAVE, whose child takes 3, 3.5 and 7 s, for the machine was busy.
Source: recorded on Linux 6.18 in intervals of 100 ms: `cowbench kernel programs redis_bgsave --size 40000 --seconds 6
--interval 100`; the driver is cowbench/drivers/redis_bgsave.py, docs/real_programs.md holds it against the kernel.
Scale: 26 MB instead of gigabytes; rates and the child's life are as they were, so each save copies a larger share.
Differ: only the two bounds. Nothing is pinned or swapped, so each copy is needed and each
policy makes it at the same write; eager_copy copies what is never written, always_reuse leaks into the snapshot.
"""

from pathlib import Path

from cowbench.replay import Replay


class RedisBgsave(Replay):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    def program(self) -> Path:
        return Path(__file__).with_name("redis_bgsave.jsonl.gz")
