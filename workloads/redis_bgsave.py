"""redis_bgsave: a recording of Redis that saves three snapshots while it is written to at three rates.

Load: Debian's Redis 7.0.15 with 20,000 keys of 500 bytes; SETs of uniform keys at 1,000, 5,000 and as many a second as
one connection gives; at each rate one BGSAVE, whose child takes about 1.4 s.
Source: recorded on Linux 6.18 in intervals of 50 ms: `cowbench kernel programs redis_bgsave --size 20000 --seconds 6
--interval 50`; the driver is cowbench/drivers/redis_bgsave.py, docs/real_programs.md holds it against the kernel.
Scale: 14 MB instead of gigabytes; rates and the child's life are as they were, so each save copies a larger share.
Differ: only the two bounds. Nothing is pinned and all memory is read back from nowhere, so each copy is needed and each
policy makes it at the same write; eager_copy copies what is never written, always_reuse leaks into the snapshot.
"""

from pathlib import Path

from cowbench.replay import Replay


class RedisBgsave(Replay):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    def program(self) -> Path:
        return Path(__file__).with_name("redis_bgsave.jsonl.gz")
