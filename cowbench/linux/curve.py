"""The curve: fork latency against pinned memory, measured, modelled, and the model carried on beyond."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cowbench.errors import ProfileError
from cowbench.linux.calibration import Calibration, Point, modelled
from cowbench.report.figures import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

GIB = 1 << 18
"""Pages of one GiB."""
_BEYOND = 16
"""The model is carried on to this many times the largest size measured."""


def draw(calibration: Calibration, path: Path) -> None:
    """Draw the curve into a file, SVG or PNG by its suffix. Raises ProfileError if it cannot be written."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "cowbench", "svg.fonttype": "none", "legend.frameon": False}):
        drawn = Figure(figsize=(8, 5), layout="constrained")
        axes = drawn.add_subplot()
        for pinned, colour in ((True, COLOURS[0]), (False, COLOURS[1])):
            _measured(axes, calibration, pinned, colour)
            _modelled(axes, calibration, pinned, colour)
        _points(axes, [point for point in calibration.points if point.once_pinned], COLOURS[2], "x")
        _dress(axes, calibration)
        try:
            drawn.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=144)
        except OSError as error:
            raise ProfileError(f"{path}: cannot be written ({error.strerror}); give another file") from None


def _measured(axes: Axes, calibration: Calibration, pinned: bool, colour: str) -> None:
    points = [p for p in calibration.points if not p.once_pinned and p.pinned == (p.pages if pinned else 0)]
    held_back = set(calibration.grid.held_back)
    _points(axes, [point for point in points if point.pages not in held_back], colour, "o")
    _points(axes, [point for point in points if point.pages in held_back], colour, "D", face="none")


def _modelled(axes: Axes, calibration: Calibration, pinned: bool, colour: str) -> None:
    smallest, largest = calibration.grid.sizes[0], calibration.grid.sizes[-1]
    for first, last, style in ((smallest, largest, "-"), (largest, largest * _BEYOND, ":")):
        pages = np.unique(np.geomspace(first, last, 100).round().astype(int))
        times = [modelled(calibration.profile, n, n if pinned else 0) / 1e6 for n in pages.tolist()]
        axes.plot(pages / GIB, times, style, color=colour, linewidth=1.5)


def _points(axes: Axes, points: list[Point], colour: str, marker: str, face: str | None = None) -> None:
    sizes, times = [p.pages / GIB for p in points], [p.ns / 1e6 for p in points]
    axes.plot(sizes, times, marker, color=colour, markerfacecolor=face or colour, markersize=5)


def _dress(axes: Axes, calibration: Calibration) -> None:
    place, sizes = calibration.place, calibration.grid.sizes
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlim(sizes[0] / GIB / 1.5, sizes[-1] / GIB * _BEYOND)
    axes.axvspan(sizes[-1] / GIB, sizes[-1] / GIB * _BEYOND, color="0.95", zorder=0)
    axes.xaxis.set_major_formatter(lambda gib, _: f"{gib:g} GiB" if gib >= 1 else f"{gib * 1024:g} MiB")
    axes.yaxis.set_major_formatter(lambda ms, _: f"{ms:g}")
    axes.set_xlabel("memory of the process that forks")
    axes.set_ylabel("fork latency, ms")
    emulated = ", EMULATED: times mean nothing" if place.emulated else ""
    axes.set_title(f"Linux {place.release}, {place.cpu}{emulated}", loc="left", fontsize=10)
    axes.grid(alpha=0.3)
    axes.legend(*_legend(), fontsize=8)


def _legend() -> tuple[list[Line2D], list[str]]:
    from matplotlib.lines import Line2D

    entries: dict[str, dict[str, Any]] = {
        "all of it pinned: copied at fork": {"color": COLOURS[0], "linewidth": 4},
        "never pinned: shared": {"color": COLOURS[1], "linewidth": 4},
        "pinned once, let go of": {"color": COLOURS[2], "marker": "x", "linestyle": ""},
        "measured": {"color": "0.3", "marker": "o", "linestyle": ""},
        "measured, held back from the fit": {"color": "0.3", "marker": "D", "markerfacecolor": "none", "linestyle": ""},
        "modelled": {"color": "0.3", "linestyle": "-"},
        "model carried on, not measured": {"color": "0.3", "linestyle": ":"},
    }
    return [Line2D([], [], **look) for look in entries.values()], list(entries)
