"""Recordings of real programs: program files with facts in the header and notes between the operations.

    {"cowbench_program": 2, "machine": {}, "recorded": {"program": ["redis-server"], "kernel": "6.18.5", ...}}
    {"op": "spawn"}
    {"note": "process", "process": 0, "pid": 4711, "exe": "/usr/bin/redis-server"}
    {"note": "time", "ms": 10}
    {"op": "write", "process": 0, "steps": [12, 5, 981, 3]}

A note of time stands before the operations of each interval; within an interval the order of writes is not known, so
they are one batch a process. A recording that was not cut short ends with the note "end".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from cowbench.errors import ProgramError
from cowbench.machine import MachineConfig
from cowbench.operations import Operation, decode
from cowbench.parameters import nearest
from cowbench.program_file import UNREADABLE, ProgramWriter, not_an_operation, read_first, read_records

Way = Literal["userfaultfd", "soft-dirty", "frame numbers"]
"""How written pages were found: exact with the first two, sampled with the third."""

CHUNK = 16
"""Pages (64 KiB) that are numbered together, in the order of first sight: page = CHUNK * chunk + page in the chunk."""


@dataclass(frozen=True)
class Facts:
    """What the header says about a recording.

    program: the command and its arguments. interval_ms: between two looks at written pages. started: ISO time, UTC.
    sampled: whether pages that were written can be missing. order: what is not known of the order of operations.
    """

    program: tuple[str, ...]
    kernel: str
    interval_ms: float
    way: Way
    started: str
    sampled: bool = False
    order: str = "pages written within one interval are one batch"

    def __post_init__(self) -> None:
        """Raise ValueError for what no recording can be."""
        if self.way not in get_args(Way):
            raise ValueError(f"unknown way to find written pages '{self.way}'")
        if not self.interval_ms > 0:
            raise ValueError(f"interval_ms={self.interval_ms} must be above 0")


@dataclass(frozen=True)
class Note:
    """What a recording says besides operations; a replay skips it."""

    kind: ClassVar[str]


@dataclass(frozen=True)
class Time(Note):
    """The operations that follow happened up to `ms` milliseconds after the start."""

    kind = "time"
    ms: float


@dataclass(frozen=True)
class Program(Note):
    """Process `process` of the file is the one that had this pid, and from now on runs `exe`."""

    kind = "process"
    process: int
    pid: int
    exe: str


@dataclass(frozen=True)
class Addresses(Note):
    """From chunk `chunk` on, chunks stand for 64 KiB of memory at these addresses, counted in 64 KiB."""

    kind = "addresses"
    chunk: int
    at: tuple[int, ...]


@dataclass(frozen=True)
class Frames(Note):
    """How many pages of `process` changed their frame, as pagemap shows, up to this place in the file.

    They are compared with those at the note of this kind before, or at the birth or a fork of `process`, whatever came
    last. child: its latest fork by then. present: pages that were there at both ends, and neither discarded nor new in
    between; changed: those with another frame at the end.
    """

    kind = "frames"
    process: int
    child: int
    present: int
    changed: int


@dataclass(frozen=True)
class Counter(Note):
    """A number that the program itself counted, such as Redis' rdb_last_cow_size; value in `unit`."""

    kind = "counter"
    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True)
class Missed(Note):
    """Something the recorder could not see: `what` in words, as in "pages of file mappings", and how many."""

    kind = "missed"
    what: str
    count: int


@dataclass(frozen=True)
class Overhead(Note):
    """What recording cost the program: it waited, memory was scanned, and tracked pages faulted once more each."""

    kind = "overhead"
    waited_ms: float
    scanned_ms: float
    faults: int
    fault_ns: float


@dataclass(frozen=True)
class End(Note):
    """The recording is complete: it ended after `ms`, and `why`, as in "all processes ended".

    status: exit status of the first process, as a shell has it (128 + signal); None if it lives.
    """

    kind = "end"
    ms: float
    why: str
    status: int | None = None


@dataclass(frozen=True)
class Cut(Note):
    """Stands in no file: reading yields it in place of the end of a recording that was cut short after `ms`."""

    kind = "cut"
    ms: float

    @property
    def words(self) -> str:
        """Say so in a line."""
        return f"cut short after {self.ms / 1000:g} s"


NOTES: dict[str, type[Note]] = {cls.kind: cls for cls in Note.__subclasses__() if cls is not Cut}


class RecordingWriter:
    """Writes a recording as it is made; `flush` makes all of it readable, whatever becomes of the recorder.

    Every method raises ProgramError naming a file that cannot be written; what came before can be read then.
    """

    def __init__(self, path: Path, config: MachineConfig, facts: Facts) -> None:
        self._writer = ProgramWriter(path, config, dataclasses.asdict(facts))

    def time(self, ms: float) -> None:
        """Begin the operations of the interval that ended `ms` after the start."""
        self.note(Time(ms))

    def operation(self, operation: Operation) -> None:
        """Add an operation."""
        self._writer.operation(operation)

    def note(self, note: Note) -> None:
        """Add a note."""
        self._writer.line({"note": note.kind, **dataclasses.asdict(note)})

    def flush(self) -> None:
        """Hand all that was added to the operating system."""
        self._writer.flush()

    def close(self) -> None:
        """End the file; a recording that is complete has the note `End` before."""
        self._writer.close()


def read_facts(path: Path) -> Facts:
    """Read what the header says about a recording. Raises ProgramError naming a file that is none."""
    recorded = read_first(path).get("recorded")
    if recorded is None:
        raise ProgramError(f"{path}: a program file, but no recording; make one with 'cowbench record'")
    try:
        return Facts(**{**recorded, "program": tuple(recorded["program"])})
    except (TypeError, KeyError, ValueError) as error:
        raise ProgramError(f"{path}:1: bad facts about the recording in the header: {error}") from None


def read_lines(path: Path) -> Iterator[Operation | Note]:
    """Stream operations and notes of a recording; ends with `End`, or `Cut` if it was cut short.

    Raises ProgramError naming file and line.
    """
    read_facts(path)
    last: Note = Cut(0)
    for number, record in read_records(path):
        try:
            line = decode_note(record) if "note" in record else decode(record)
        except UNREADABLE as error:
            raise not_an_operation(path, number, error) from None
        if isinstance(line, Time):
            last = Cut(line.ms)
        yield line
        if isinstance(line, End):
            return
    yield last


def cut_short(path: Path) -> Cut | None:
    """Return where a recording was cut short; None if it is whole, or no recording. Raises ProgramError."""
    if "recorded" not in read_first(path):
        return None
    ms = 0.0
    for _, record in read_records(path):
        if record.get("note") == Time.kind:
            ms = record["ms"]
        if record.get("note") == End.kind:
            return None
    return Cut(ms)


def decode_note(record: dict[str, Any]) -> Note:
    """Read one note. Raises ValueError, KeyError or TypeError when it is not one."""
    values = dict(record)
    kind = values.pop("note")
    if kind not in NOTES:
        raise ValueError(f"unknown note '{kind}': {nearest(str(kind), NOTES)}")
    return NOTES[kind](**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
