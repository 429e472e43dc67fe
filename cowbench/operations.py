"""Programs as data: one frozen dataclass per Machine operation, and their JSON form.

E.g. `{"op": "write", "process": 0, "pages": [[0, 4096], 5000]}`. `pages` is a list of runs `[first, last + 1]` and
single page numbers, in the order of the batch. Ascending pages that lie apart are shorter as `"steps": [first, gap,
gap, ...]`, each gap 1 or more. Fields at their default are left out. cowbench/program_file.py makes files of these.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from cowbench.machine import MAX_PAGES, During, Machine, Pages, PageState, Process, Reference
from cowbench.parameters import nearest


@dataclass(frozen=True)
class Operation:
    """One call of a Machine method, named `op`, with its arguments as fields."""

    op: ClassVar[str]

    def apply(self, machine: Machine) -> None:
        """Carry the operation out."""
        getattr(machine, self.op)(**vars(self))  # nothing but the fields: recordings have many operations


@dataclass(frozen=True)
class Spawn(Operation):
    op = "spawn"
    cpu: int = 0
    memcg: int = 0


@dataclass(frozen=True)
class Write(Operation):
    op = "write"
    process: Process
    pages: Pages


@dataclass(frozen=True)
class Read(Operation):
    op = "read"
    process: Process
    pages: Pages


@dataclass(frozen=True)
class Fork(Operation):
    op = "fork"
    process: Process
    during: tuple[During, ...] = ()
    fail_at: int | None = None
    memcg: int | None = None


@dataclass(frozen=True)
class Exec(Operation):
    op = "exec"
    process: Process


@dataclass(frozen=True)
class Exit(Operation):
    op = "exit"
    process: Process


@dataclass(frozen=True)
class Protect(Operation):
    op = "protect"
    process: Process
    pages: Pages
    tracked: bool = False


@dataclass(frozen=True)
class Dontfork(Operation):
    op = "dontfork"
    process: Process
    pages: Pages


@dataclass(frozen=True)
class Discard(Operation):
    op = "discard"
    process: Process
    pages: Pages


@dataclass(frozen=True)
class PageOut(Operation):
    op = "page_out"
    process: Process
    pages: Pages
    drop: bool = False


@dataclass(frozen=True)
class Pin(Operation):
    op = "pin"
    process: Process
    pages: Pages
    write: bool = True
    longterm: bool = False


@dataclass(frozen=True)
class Get(Operation):
    op = "get"
    process: Process
    pages: Pages
    write: bool = False
    coherent: bool = True


@dataclass(frozen=True)
class Release(Operation):
    op = "release"
    reference: Reference


@dataclass(frozen=True)
class DeviceWrite(Operation):
    op = "device_write"
    reference: Reference


@dataclass(frozen=True)
class DeviceRead(Operation):
    op = "device_read"
    reference: Reference


@dataclass(frozen=True)
class Move(Operation):
    op = "move"
    process: Process
    cpu: int


@dataclass(frozen=True)
class Drain(Operation):
    op = "drain"
    cpu: int


@dataclass(frozen=True)
class Stage(Operation):
    op = "stage"
    process: Process
    pages: Pages
    state: PageState
    on: bool


OPERATIONS: dict[str, type[Operation]] = {cls.op: cls for cls in Operation.__subclasses__()}


class Recorder:
    """A Machine that passes every operation on to another one and hands it to `sink` as data first."""

    def __init__(self, machine: Machine, sink: Any) -> None:
        self._machine, self._sink = machine, sink

    def __getattr__(self, name: str) -> Any:
        cls = OPERATIONS.get(name)
        if cls is None:
            raise AttributeError(name)
        method = getattr(self._machine, name)
        names = [field.name for field in dataclasses.fields(cls)]

        def record(*args: Any, **values: Any) -> Any:
            values.update(zip(names, args, strict=False))
            if "during" in values:
                values["during"] = tuple(values["during"])
            self._sink(cls(**values))
            return method(**values)

        return record


def encode_pages(pages: Pages) -> list[list[int] | int]:
    """Write pages as runs `[first, last + 1]` and single numbers, keeping order and duplicates."""
    if isinstance(pages, range):
        return [[pages.start, pages.stop]] if len(pages) > 1 else list(pages)
    numbers = np.asarray(pages, dtype=np.int64)
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    firsts = numbers[np.concatenate(([0], breaks))].tolist()
    lasts = numbers[np.concatenate((breaks - 1, [len(numbers) - 1]))].tolist()
    return [a if a == b else [a, b + 1] for a, b in zip(firsts, lasts, strict=True)]


def decode_pages(runs: Sequence[Any]) -> Pages:
    """Read what encode_pages wrote; a single run comes back as a range."""
    pairs = [(run, run + 1) if isinstance(run, int) else (int(run[0]), int(run[1])) for run in runs]
    if any(not 0 <= first < stop <= MAX_PAGES for first, stop in pairs):
        raise ValueError(f"a run of pages must be [first, last + 1] with 0 <= first <= last < {MAX_PAGES}")
    if len(pairs) == 1:
        return range(*pairs[0])
    parts = [np.arange(first, stop, dtype=np.int64) for first, stop in pairs]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def encode_steps(pages: Pages, runs: Sequence[Any]) -> list[int] | None:
    """Write pages as the first and the gaps between them if that is shorter than `runs`, which encode_pages gave.

    Only ascending pages without duplicates can be written so; None if the pages are not, or runs are as short.
    """
    if isinstance(pages, range) or len(runs) < _MANY:
        return None
    numbers = np.asarray(pages, dtype=np.int64)
    steps = np.concatenate((numbers[:1], numbers[1:] - numbers[:-1]))
    if steps[1:].min() < 1:
        return None
    singles = np.array([run for run in runs if isinstance(run, int)], np.int64)
    pairs = np.array([run for run in runs if not isinstance(run, int)], np.int64).ravel()
    brackets = len(pairs)
    as_runs = _letters(singles) + _letters(pairs) + brackets
    return steps.tolist() if _letters(steps) < as_runs else None


_MANY = 8
"""Fewer runs than these are not worth a second form."""


def _letters(numbers: npt.NDArray[np.int64]) -> int:
    """Return how long numbers are, each with the comma after it."""
    return int((np.searchsorted(_TENS, numbers, side="right") + 2).sum())


_TENS = 10 ** np.arange(1, 10)
"""Numbers of pages have up to ten digits."""


def decode_steps(steps: Sequence[Any]) -> Pages:
    """Read what encode_steps wrote."""
    gaps = np.array(steps)
    if gaps.ndim != 1 or gaps.dtype != np.int64 or gaps[0] < 0 or gaps[1:].min(initial=1) < 1:
        raise ValueError("steps must be the first page and then the gaps between pages, each 1 or more")
    pages: npt.NDArray[np.int64] = gaps.cumsum()
    return pages


def encode(operation: Operation) -> dict[str, Any]:
    """Return the JSON form of an operation, without fields that stand at their default."""
    line: dict[str, Any] = {"op": operation.op}
    for field in dataclasses.fields(operation):
        value = getattr(operation, field.name)
        if field.name == "pages":
            runs = encode_pages(value)
            steps = encode_steps(value, runs)
            line.update({"pages": runs} if steps is None else {"steps": steps})
        elif field.name == "during" and value:
            line["during"] = [{"at": d.at, "kind": d.kind, "pages": encode_pages(d.pages)} for d in value]
        elif field.default is dataclasses.MISSING or value != field.default:
            line[field.name] = value
    return line


def decode(line: dict[str, Any]) -> Operation:
    """Read one operation. Raises ValueError, KeyError or TypeError when it is not one."""
    values = dict(line)
    name = values.pop("op")
    if name not in OPERATIONS:
        raise ValueError(f"unknown operation '{name}': {nearest(str(name), OPERATIONS)}")
    cls = OPERATIONS[name]
    if "steps" in values:
        values["pages"] = decode_steps(values.pop("steps"))
    elif "pages" in values:
        values["pages"] = decode_pages(values["pages"])
    if "during" in values:
        values["during"] = tuple(
            During(at=int(d["at"]), kind=_kind(d["kind"]), pages=decode_pages(d["pages"])) for d in values["during"]
        )
    return cls(**values)


def _kind(word: str) -> Literal["write", "pin", "get"]:
    if word not in ("write", "pin", "get"):
        raise ValueError(f"unknown kind of interleaved operation '{word}'")
    return word  # type: ignore[return-value]
