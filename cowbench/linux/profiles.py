"""A calibration written down: a cost profile with what was measured and how well it fits."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cowbench.errors import ProfileError
from cowbench.linux.calibration import Calibration

PICTURES = (".svg", ".png")


def check_targets(profile: Path, picture: Path | None) -> None:
    """Raise ProfileError if the files cannot be written, before minutes are spent on what goes into them."""
    if picture is not None and picture.suffix not in PICTURES:
        raise ProfileError(f"{picture}: a picture is a .svg or a .png file")
    for path in filter(None, (profile, picture)):
        if not path.parent.is_dir():
            raise ProfileError(f"{path}: the folder does not exist; make it, or give another file")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ProfileError(f"{path}: cannot be written; change its permissions or give another file")


def write(done: Calibration, path: Path, date: str) -> None:
    """Write the profile of a calibration made at `date` (ISO 8601). Raises ProfileError."""
    text = json.dumps(done.profile.document() | {"calibration": _record(done, date)}, indent=2) + "\n"
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ProfileError(f"{path}: cannot be written ({error.strerror}); give another file") from None


def _record(done: Calibration, date: str) -> dict[str, Any]:
    """Return what a reader needs to judge the profile; nothing of it is used in a run."""
    return {
        "kernel": done.place.release,
        "cpu": done.place.cpu,
        "emulated": done.place.emulated,
        "date": date,
        "sizes": done.grid.sizes,
        "repeats": done.grid.repeats,
        "fits": {
            entry: {"r2": round(fit.r2, 4), "median_residual": round(fit.residual, 4), "flags": done.flags[entry]}
            for entry, fit in done.fits.items()
            if entry in done.flags
        },
        "whole_early_copy_ns": done.early and [round(ns, 1) for ns in done.early],
        "published": done.unmeasured,
        "held_back_median_error": round(done.error, 4),
        "forks": [
            {
                "pages": point.pages,
                "pinned": point.pinned,
                "once_pinned": point.once_pinned,
                "measured_ns": round(point.ns),
                "held_back": point.pages in done.grid.held_back,
            }
            for point in done.points
        ],
    }
