"""What can be seen of a program from outside, on the model and on a real kernel alike.

An Observation has one Step for each operation, in order. A step tells which pages changed their place and what
was read, so two machines agree on a program when, after every step, the same (process, page) pairs share a
frame, the same pairs moved to another frame, and every read gave the same tokens. Frame numbers themselves mean
nothing across machines; on one machine a number may be used again once its frame was freed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

ABSENT = -1
"""No page there: never touched, or discarded."""
SWAPPED = -2
"""A swap entry; which one is not told."""
ZERO_PAGE = -3
"""The zero page, mapped by a read of an absent page."""


@dataclass(frozen=True)
class Step:
    """What one operation did.

    process, page, frame: int64 arrays of one length: pages whose place is another one than after the step
    before, with their new frame number (>= 0) or ABSENT, SWAPPED, ZERO_PAGE. A fork lists all pages of the
    child that are not ABSENT. Pages of a process that did exit or exec are not listed: they are gone.
    tokens: int64 tokens that a read or device_read saw, in the order of its pages; empty for other operations.
    failed: "" or why the operation was not carried out to its end, e.g. "out of frames", "fork failed".
    ns: measured duration in nanoseconds, or None where nothing was measured (the model).
    """

    process: Numbers
    page: Numbers
    frame: Numbers
    tokens: Numbers
    failed: str = ""
    ns: int | None = None


@dataclass(frozen=True)
class Observation:
    """All steps of one program. `not_applicable` says why a program could not be carried out ("" if it was)."""

    steps: tuple[Step, ...]
    not_applicable: str = ""
