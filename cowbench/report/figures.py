"""Figures as SVG inside the page: same data, same bytes; text and lines take the page's own colour."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
"""The palette of Okabe and Ito, which colour-blind readers can tell apart; hatches double it."""
HATCHES = ("", "////", "....")
_INK = "#010203"  # stands for the page's colour until the SVG is written


@contextmanager
def figure(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """Give a figure of a size in inches and its axes, with the page's look."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    look: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "cowbench",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.parse_math": False,  # names of plug-ins may hold any character
        "axes.spines.top": False,
        "axes.spines.right": False,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        **{f"{part}.color": _INK for part in ("text", "xtick", "ytick", "hatch")},
        **{f"axes.{part}": _INK for part in ("edgecolor", "labelcolor", "titlecolor")},
    }
    with mpl.rc_context(look):
        drawn = Figure(figsize=(width, height), layout="constrained")
        axes = drawn.add_subplot()
        for part in (drawn.patch, axes.patch):
            part.set_alpha(0)
        yield drawn, axes


def svg(drawn: Figure, description: str) -> Markup:
    """Return a figure as an SVG element with a description for those who do not see it. Call inside `figure`."""
    stream = io.StringIO()
    drawn.savefig(stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = (
        text.replace(_INK, "currentColor").replace('width="', 'data-width="', 1).replace('height="', 'data-height="', 1)
    )
    label = Markup('<svg role="img" aria-label="{}"').format(description)
    return Markup('<figure class="drawn">{}</figure>').format(label + Markup(text.removeprefix("<svg")))
