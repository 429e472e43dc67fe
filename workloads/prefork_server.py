"""prefork_server: a recording of gunicorn, whose workers touch the application that was loaded before they were forked.

Load: Debian's gunicorn 20.1 with --preload, 20,000 articles, four workers, each replaced after 200 requests, four
clients; a request looks at 50 articles, and so writes their reference counts.
Source: recorded on Linux 6.18 in intervals of 100 ms: `cowbench kernel programs prefork_server --size 20000 --seconds 2
--interval 100`; the driver is cowbench/drivers/prefork_server.py, docs/real_programs.md holds it against the kernel.
Scale: 25 MB, 4 workers and seconds instead of 250 MB, 16 workers and days; requests do little besides the touching.
Differ: only the two bounds, as nothing is pinned.
"""

from pathlib import Path

from cowbench.replay import Replay


class PreforkServer(Replay):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    def program(self) -> Path:
        return Path(__file__).with_name("prefork_server.jsonl.gz")
