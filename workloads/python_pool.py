"""python_pool: a recording of CPython workers that read a list of the process that forked them.

Load: Python 3.11, a list of 200,000 floats, three pools of four workers that read every second object of a quarter;
a read writes the object's reference count, so that its page is copied.
Source: recorded on Linux 6.18 in intervals of 20 ms: `cowbench kernel programs python_pool --size 200000 --seconds 3
--interval 20`; the driver is cowbench/drivers/python_pool.py, docs/real_programs.md holds it against the kernel.
Scale: 6 MB of list instead of gigabytes, so that what the interpreter itself writes weighs more.
Differ: only the two bounds, as nothing is pinned: eager_copy copies the quarters that other workers read,
always_reuse lets workers write each other's counts.
"""

from pathlib import Path

from cowbench.replay import Replay


class PythonPool(Replay):
    differs = (("eager_copy", "has_pinned"), ("always_reuse", "has_pinned"))

    def program(self) -> Path:
        return Path(__file__).with_name("python_pool.jsonl.gz")
