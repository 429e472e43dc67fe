"""Figures, drawn once by matplotlib as SVG for both the page and the PDF: same data, same bytes.

Draw inside `figure`, say with `mark` what parts show when pointed at, and return what `finish` gives.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cowbench.report.model import Figure, Mark

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawn

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
"""The palette of Okabe and Ito, which colour-blind readers can tell apart; hatches double it."""
HATCHES = ("", "////", "....")
INK = "#010203"
"""Stands for the colour of text in the SVG, which the page has two of."""


@contextmanager
def figure(width: float, height: float) -> Iterator[tuple[Drawn, Axes]]:
    """Give a figure of a size in inches and its axes, with the report's look. At 9 inches its text is 10 points."""
    import matplotlib as mpl
    from matplotlib.figure import Figure as Drawn

    look: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "cowbench",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: one layout everywhere
        "font.size": 10,
        "text.parse_math": False,  # names of plug-ins may hold any character
        "axes.spines.top": False,
        "axes.spines.right": False,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        **{f"{part}.color": INK for part in ("text", "xtick", "ytick", "hatch")},
        **{f"axes.{part}": INK for part in ("edgecolor", "labelcolor", "titlecolor")},
    }
    with mpl.rc_context(look):
        drawn = Drawn(figsize=(width, height), layout="constrained")
        axes = drawn.add_subplot()
        for part in (drawn.patch, axes.patch):
            part.set_alpha(0)
        yield drawn, axes


def columns(labels: Sequence[str]) -> int:
    """Return how many columns of a legend with these labels fit below a figure of 9 inches."""
    return max(1, min(4, 100 // (max(map(len, labels), default=0) + 6)))


def mark(marks: dict[str, Mark], artist: Artist, hint: str, group: str = "") -> None:
    """Say what an artist shows when it is pointed at, and which policy it belongs to."""
    gid = f"mark{len(marks)}"
    artist.set_gid(gid)
    marks[gid] = Mark(hint, group)


def finish(drawn: Drawn, name: str, caption: str, alt: str, marks: Mapping[str, Mark] | None = None) -> Figure:
    """Return a figure as a part of the report. Call inside `figure`.

    name: unique in the section. alt: what it shows and where the numbers stand, for those who do not see it.
    """
    stream = io.StringIO()
    with warnings.catch_warnings():
        # Text stays text in the SVG; whoever shows it has other fonts for what DejaVu Sans lacks.
        warnings.filterwarnings("ignore", r"Glyph \d+", UserWarning)
        drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r' (?:d|x|y|transform)="(?!matrix)[^"]*"', _rounded, svg)
    return Figure(name, caption, alt, svg, drawn.get_figwidth(), drawn.get_figheight(), marks or {})


def _rounded(attribute: re.Match[str]) -> str:
    """Cut coordinates to hundredths of a point, which nobody can see, and line ends inside paths.

    The matrix that an image is drawn with stays: its factors are small, and a hundredth would show.
    """
    return re.sub(r"(\.\d\d)\d+", r"\1", attribute[0]).replace(" \n", " ")
