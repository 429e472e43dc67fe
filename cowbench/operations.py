"""Programs as data: one frozen dataclass per Machine operation, and their JSON form.

A program file is JSON lines. The first line is the header
`{"cowbench_program": 1, "machine": {...}}` (fields of MachineConfig that differ from the default); each
further line is one operation, e.g. `{"op": "write", "process": 0, "pages": [[0, 4096], 5000]}`. `pages` is a list
of runs `[first, last + 1]` and single page numbers, in the order of the batch; fields at their default are left out.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

import numpy as np

from cowbench.errors import ProgramError
from cowbench.machine import During, Machine, MachineConfig, Pages, PageState, Process, Reference
from cowbench.parameters import nearest

VERSION = 1


@dataclass(frozen=True)
class Operation:
    """One call of a Machine method, named `op`, with its arguments as fields."""

    op: ClassVar[str]

    def apply(self, machine: Machine) -> None:
        """Carry the operation out."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        getattr(machine, self.op)(**values)


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
    if any(first < 0 or stop <= first for first, stop in pairs):
        raise ValueError("a run of pages must be [first, last + 1] with 0 <= first <= last")
    if len(pairs) == 1:
        return range(*pairs[0])
    parts = [np.arange(first, stop, dtype=np.int64) for first, stop in pairs]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def encode(operation: Operation) -> dict[str, Any]:
    """Return the JSON form of an operation, without fields that stand at their default."""
    line: dict[str, Any] = {"op": operation.op}
    for field in dataclasses.fields(operation):
        value = getattr(operation, field.name)
        if field.name == "pages":
            line["pages"] = encode_pages(value)
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
    if "pages" in values:
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


def write_header(stream: IO[str], config: MachineConfig) -> None:
    """Write the first line of a program file."""
    default = dataclasses.asdict(MachineConfig())
    changed = {key: value for key, value in dataclasses.asdict(config).items() if value != default[key]}
    stream.write(json.dumps({"cowbench_program": VERSION, "machine": changed}) + "\n")


def write_program(path: Path, config: MachineConfig, operations: Iterable[Operation]) -> None:
    """Write a program file. Raises ProgramError naming a file that cannot be written."""
    try:
        with path.open("w", encoding="utf-8") as stream:
            write_header(stream, config)
            stream.writelines(json.dumps(encode(operation)) + "\n" for operation in operations)
    except OSError as error:
        raise ProgramError(f"{path}: cannot be written ({error.strerror}); give another file") from None


def read_header(path: Path) -> MachineConfig:
    """Read the machine a program file was made for. Raises ProgramError naming file and line."""
    try:
        with path.open(encoding="utf-8") as stream:
            header = json.loads(stream.readline())
        version = header["cowbench_program"]
    except OSError as error:
        raise ProgramError(f"{path}: cannot be read ({error.strerror}); give the path of a program file") from None
    except (ValueError, KeyError, TypeError):
        raise ProgramError(f"{path}:1: not a cowbench program file (no header line)") from None
    if version != VERSION:
        raise ProgramError(f"{path}:1: program format {version}, this cowbench reads {VERSION}; update cowbench")
    try:
        machine = header.get("machine", {})
        limits = {int(group): int(limit) for group, limit in machine.get("memcg_limits", {}).items()}
        return MachineConfig(**{**machine, "memcg_limits": limits})
    except (TypeError, ValueError, AttributeError) as error:
        raise ProgramError(f"{path}:1: bad machine in the header: {error}") from None


def read_operations(path: Path) -> Iterator[Operation]:
    """Stream the operations of a program file. Raises ProgramError naming file and line."""
    with path.open(encoding="utf-8") as stream:
        stream.readline()
        for number, text in enumerate(stream, start=2):
            try:
                yield decode(json.loads(text))
            except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                raise ProgramError(f"{path}:{number}: not an operation: {error}") from None


def replay_file(path: Path, machine: Machine) -> None:
    """Carry out a program file as it is read. Raises ProgramError naming file and line."""
    for number, operation in enumerate(read_operations(path), start=2):
        try:
            operation.apply(machine)
        except ProgramError as error:
            raise ProgramError(f"{path}:{number}: {error}") from None
