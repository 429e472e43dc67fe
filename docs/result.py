"""Draws docs/result.svg, the picture in the README, from a store: python docs/result.py cowbench.db."""

import re
import sys
from pathlib import Path

from cowbench.report.picture import picture
from cowbench.report.results import Results
from cowbench.store import Store

with Store(Path(sys.argv[1]), read_only=True) as store:
    drawn = picture(Results(store.rows(), store.runs()))
svg = re.sub(r"^.*?(?=<svg)|(?<=</svg>).*$", "", drawn, flags=re.DOTALL)
# Alone, a picture has no page to take ink and paper from.
svg = svg.replace("<svg", '<svg style="color: #1b1b1b; background: #ffffff; font-family: sans-serif"', 1)
Path(__file__).with_name("result.svg").write_text(svg.replace("data-width", "width").replace("data-height", "height"))
