"""One cell of a report followed to its operations and pages: which one, its time line, and a picture of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from cowbench import spec, timeline
from cowbench.again import by_file
from cowbench.costs import read_profile
from cowbench.errors import ParameterError
from cowbench.ledger import EventKind
from cowbench.parameters import nearest
from cowbench.report.results import KERNEL, Results
from cowbench.schema import METRICS, Row
from cowbench.timeline import Step, Timeline

Code = Literal["needed", "needless", "needed_lost", "needless_lost", "leak"]
CODES: tuple[Code, ...] = get_args(Code)
"""What a picture shows of a page at an operation, the later above the earlier: a copy somebody or nobody needed, the
same where a reference was lost, a leak. Code n + 1 in a picture stands for CODES[n].
"""
_BITS: dict[EventKind, int] = {"copies": 1, "false_positive_copies": 2, "lost_pins": 4, "lost_gets": 4, "leaks": 8}
_CODE_OF_BITS = np.array([0, 1, 2, 2, 3, 3, 4, 4, *[5] * 8], np.uint8)
ACROSS, UP = 360, 128
"""Most columns and rows of a picture: more operations or pages share one."""


def chosen(results: Results) -> Row | None:
    """Return the row that was asked for, else the most surprising one: the one with most copies that its rule did not
    ask for and nobody needed, oracles and the policy of reference left out if there are others. None without a copy.
    """
    if results.trace is not None:
        return _asked(results, results.trace)
    rows = [row for row in results.rows if row["copies"] and not row["policy"].startswith(KERNEL)]
    aside = {*results.oracles, results.reference}
    return max([row for row in rows if row["policy"] not in aside] or rows, key=_surprise, default=None)


def _surprise(row: Row) -> tuple[int, int, int]:
    needless = row["false_positive_copies"]
    return needless - row["false_positive_cause_policy"], needless, row["copies"]


def _asked(results: Results, words: str) -> Row:
    """Return the row that `POLICY,WORKLOAD,SEED` names; specs may have commas of their own. Raises ParameterError."""
    by_name = {f"{row['policy']},{row['workload']},{row['seed']}": row for row in _all(results)}
    if words not in by_name:
        raise ParameterError(f"no trial '{words}' in this store (POLICY,WORKLOAD,SEED): {nearest(words, by_name)}")
    if by_name[words]["policy"].startswith(KERNEL):
        raise ParameterError(f"trial '{words}' ran on a kernel; only trials of the model can be followed")
    return by_name[words]


def _all(results: Results) -> Iterator[Row]:
    yield from (*results.rows, *results.points, *results.measured)


def follow(results: Results, row: Row) -> Timeline:
    """Run the trial of a row again. Raises CowbenchError if its plug-ins are not there any more."""
    policy = spec.parse("policy", by_file(row["policy"], results.files))
    workload = spec.parse("workload", by_file(row["workload"], results.files))
    return timeline.follow(policy, workload, row["seed"], results.profile or read_profile())


def changed(results: Results, row: Row, line: Timeline) -> list[str]:
    """Return the columns in which a trial run again differs from its row; times only if their profile is known."""
    names = [name for name, column in METRICS.items() if column.kind == "count" or results.profile is not None]
    return [name for name in names if line.row[name] != row[name]]


@dataclass(frozen=True)
class Picture:
    """codes: (rows, columns) uint8, 0 for nothing; row r holds pages [r * pages, (r + 1) * pages), likewise columns."""

    codes: npt.NDArray[np.uint8]
    pages: int
    operations: int

    def enlarged(self, rows: int, columns: int) -> npt.NDArray[np.uint8]:
        """Return the codes with each repeated, to this many rows and columns at least: what is drawn stays crisp."""
        height, width = self.codes.shape
        return self.codes.repeat(-(-rows // height), axis=0).repeat(-(-columns // width), axis=1)

    @property
    def found(self) -> list[Code]:
        """What it shows, in the order of CODES."""
        return [code for number, code in enumerate(CODES, start=1) if (self.codes == number).any()]


def picture(steps: Sequence[Step]) -> Picture:
    """Return what happened to which page at which operation."""
    highest = max((_highest(step) for step in steps), default=0)
    pages, operations = -(-(highest + 1) // UP), -(-len(steps) // ACROSS)
    codes = np.zeros((highest // pages + 1, -(-len(steps) // operations)), np.uint8)
    for place, step in enumerate(steps):
        bits = np.zeros(highest + 1, np.uint8)
        for event in step.events:
            bits[event.pages] |= _BITS.get(event.kind, 0)
        touched = np.flatnonzero(bits)
        np.maximum.at(codes[:, place // operations], touched // pages, _CODE_OF_BITS[bits[touched]])
    return Picture(codes, pages, operations)


def _highest(step: Step) -> int:
    """Return the highest page that an operation is about, 0 if it names none."""
    named = [] if step.pages is None else [step.pages[-1:] if isinstance(step.pages, range) else step.pages]
    return max(
        (int(max(pages)) for pages in (*named, *(event.pages for event in step.events)) if len(pages)), default=0
    )
