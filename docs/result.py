"""Draws docs/result.svg, the picture in the README, from a store: python docs/result.py cowbench.db."""

import sys
from pathlib import Path

from cowbench.report.figures import INK
from cowbench.report.picture import picture
from cowbench.report.results import Results
from cowbench.store import Store

with Store(Path(sys.argv[1]), read_only=True) as store:
    drawn = picture(Results.of(store))
# Alone, a picture has no page to take ink and paper from.
style = f'role="img" aria-label="{drawn.alt}" style="background: #ffffff; font-family: sans-serif"'
svg = drawn.svg.replace("<svg", f"<svg {style}", 1).replace(INK, "#1b1b1b")
Path(__file__).with_name("result.svg").write_text(svg)
