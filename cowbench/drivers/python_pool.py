"""python_pool: workers of multiprocessing.Pool read a big list of the process that forked them.

Reading a Python object writes its reference count, so the pages of the list's objects are copied although nobody
changes them. Asked for: `size` floats, pools of four workers one after the other, as many as fit into `seconds`, each
worker reading every second object of its quarter.
Counted: nothing by the program itself; operations are objects read.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from cowbench.drivers.running import Counted, Load, command
from cowbench.errors import KernelError

WORKERS = 4
DEFAULT = Load(size=1_000_000, seconds=5.0)


def run(load: Load) -> Counted:
    """Run the pools. Raises KernelError if they fail."""
    rounds = max(1, round(load.seconds))
    script = Path(__file__).with_name("targets") / "pool.py"
    words = [sys.executable, str(script), str(load.size), str(WORKERS), str(rounds)]
    done = subprocess.run(command(words, load), capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"{script.name} failed: {(done.stderr.strip() or 'it printed nothing').splitlines()[-1]}")
    seconds = next(float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("took "))
    return Counted(load.size // 2 * rounds, seconds)
