"""postgres_backends: a recording of PostgreSQL that forks 20 backends; the control from real life.

Load: Debian's PostgreSQL 15, pgbench's tables at scale 1, 20 clients and their standard transactions for 3 s.
Source: recorded on Linux 6.18 in intervals of 50 ms: `cowbench kernel programs postgres_backends --seconds 3
--interval 50`; the driver is cowbench/drivers/postgres_backends.py, docs/real_programs.md holds it against the kernel.
Scale: 20 backends for seconds instead of hundreds for days; each is as large as it is in life.
Differ: nobody but the two bounds: the buffers are shared memory, and the postmaster pins nothing.
"""

from pathlib import Path

from cowbench.replay import Replay


class PostgresBackends(Replay):
    control = True

    def program(self) -> Path:
        return Path(__file__).with_name("postgres_backends.jsonl.gz")
