"""The published history as a page that needs no network, with asv-tachyon over what asv publishes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.commits import regressions
from benchmarks.commits.asv import SCRATCH, Asv
from cowbench.errors import HistoryError

PAGE = SCRATCH / "html"

# The page would hide regressions below 5 %, which counters are never too small for, and put 275 chips above a chart.
_HEAD = """    <script>
      if (!location.hash.includes("factor=")) location.replace((location.hash || "#") + "&factor=1");
    </script>
    <style>.param-chips { max-height: 11rem; overflow: auto; }</style>
  </head>"""
_AXIS, _WIDER_AXIS = 'JetBrains Mono, monospace",size:64,', 'JetBrains Mono, monospace",size:130,'
"""Room for the labels of the vertical axis: 64 pixels cut "1.359e+4 copies" off."""


def publish(runner: Asv) -> int:
    """Write the page and return how many regressions of exact counters it lists. Raises HistoryError."""
    runner.need("publish")
    found = regressions.complete(PAGE)
    install(PAGE)
    return found


def install(page: Path) -> None:
    """Put a page that needs no network in place of asv's own, which loads scripts from elsewhere."""
    words = [sys.executable, "-m", "asv_tachyon", "install", "--no-backup", str(page)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HistoryError(f"asv-tachyon failed: {(done.stderr.strip().splitlines() or ['it says nothing'])[-1]}")
    (script,) = page.glob("assets/index-*.js")
    for file, before, after in ((page / "index.html", "  </head>", _HEAD), (script, _AXIS, _WIDER_AXIS)):
        text = file.read_text(encoding="utf-8")
        if before not in text:
            raise HistoryError(f"asv-tachyon has another {file.name} than 0.5.8; pip install asv-tachyon==0.5.8")
        file.write_text(text.replace(before, after), encoding="utf-8")
