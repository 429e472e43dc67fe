"""Program files: operations as JSON lines.

The first line is the header `{"cowbench_program": 2, "machine": {...}}` (fields of MachineConfig that differ from the
default); each further line is one operation (cowbench/operations.py) or, in recordings of real programs, a note
(cowbench/recording.py), which a replay skips. A file whose name ends in ".gz" is written compressed; whether one is
read so shows its beginning, not its name. The header of a recording has the key "recorded". Only such a file may be cut
short, as it is when the recorder was killed or the disk was full: it ends with its last whole line.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from cowbench.errors import ProgramError
from cowbench.machine import Machine, MachineConfig
from cowbench.operations import Operation, decode, encode

VERSION = 2
_READ = (1, 2)
"""Versions that can be read: 1 knew neither steps nor notes."""

_PENDING = 1 << 20
"""Bytes that wait, at most, before they are compressed and written."""
_JSON = json.JSONDecoder()
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)
"""What reading a line may raise that is no operation."""


class ProgramWriter:
    """Writes a program file, line by line, in bounded memory.

    Every method raises ProgramError naming a file that cannot be written; what came before is in it.
    """

    def __init__(self, path: Path, config: MachineConfig, recorded: dict[str, Any] | None = None) -> None:
        """Begin a file. recorded: the header's facts about a recording."""
        self.path = path
        self._packer = zlib.compressobj(wbits=31) if path.name.endswith(".gz") else None
        self._pending = bytearray()
        with self._named():
            self._file: IO[bytes] | None = path.open("wb", buffering=0)
        self.line(first_line(config) | ({} if recorded is None else {"recorded": recorded}))
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def operation(self, operation: Operation) -> None:
        """Add an operation."""
        self.line(encode(operation))

    def line(self, line: dict[str, Any]) -> None:
        """Add a line."""
        self._pending += json.dumps(line, separators=(",", ":")).encode() + b"\n"
        if len(self._pending) >= _PENDING:
            self._write(None)

    def flush(self) -> None:
        """Hand all lines to the operating system, so that they can be read whatever becomes of this process."""
        self._write(zlib.Z_SYNC_FLUSH)

    def close(self) -> None:
        """End the file; nothing may follow. Again, or after an error, it does nothing."""
        if self._file is not None:
            self._write(zlib.Z_FINISH)
            with self._named():
                self._file.close()
            self._file = None

    def _write(self, how: int | None) -> None:
        contents = bytes(self._pending)
        self._pending.clear()
        if self._packer is not None:
            contents = self._packer.compress(contents) + (b"" if how is None else self._packer.flush(how))
        with self._named():
            if self._file is None:
                raise OSError(0, "it is closed")
            left = memoryview(contents)
            while left:
                left = left[self._file.write(left) :]

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if (file := getattr(self, "_file", None)) is not None:
                file.close()
                self._file = None
            raise ProgramError(f"{self.path}: cannot be written ({error.strerror}); give another file") from None


def first_line(config: MachineConfig) -> dict[str, Any]:
    """Return the header of a program for a machine."""
    default = dataclasses.asdict(MachineConfig())
    changed = {key: value for key, value in dataclasses.asdict(config).items() if value != default[key]}
    return {"cowbench_program": VERSION, "machine": changed}


def write_program(path: Path, config: MachineConfig, operations: Iterable[Operation]) -> None:
    """Write a program file. Raises ProgramError naming a file that cannot be written."""
    with ProgramWriter(path, config) as writer:
        for operation in operations:
            writer.operation(operation)


def read_header(path: Path) -> MachineConfig:
    """Read the machine a program file was made for. Raises ProgramError naming file and line."""
    machine = read_first(path).get("machine", {})
    try:
        limits = {int(group): int(limit) for group, limit in machine.get("memcg_limits", {}).items()}
        return MachineConfig(**{**machine, "memcg_limits": limits})
    except (TypeError, ValueError, AttributeError) as error:
        raise ProgramError(f"{path}:1: bad machine in the header: {error}") from None


def read_first(path: Path) -> dict[str, Any]:
    """Read the header line as it stands. Raises ProgramError naming file and line."""
    try:
        return _header(path, next(_lines(path), b""))
    except _CutShort:
        return _header(path, b"")


def read_operations(path: Path) -> Iterator[Operation]:
    """Stream the operations of a program file. Raises ProgramError naming file and line."""
    for _, operation in _operations(path):
        yield operation


def read_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream the lines after the header with their numbers; a recording that is cut short ends with its last whole one.

    Raises ProgramError naming file and line.
    """
    recording = "recorded" in read_first(path)
    number = 1
    try:
        lines = _lines(path)
        next(lines)
        for number, text in enumerate(lines, start=2):
            try:
                record = _JSON.decode(text.decode())
            except (ValueError, RecursionError) as error:
                if not text.endswith(b"\n"):
                    raise _CutShort(f"{path}:{number}: the last line is cut short; make the file again") from None
                raise not_an_operation(path, number, error) from None
            if not isinstance(record, dict):
                raise not_an_operation(path, number, "a line must be a JSON object")
            yield number, record
    except _CutShort:
        if not recording:
            raise


def not_an_operation(path: Path, number: int, why: object) -> ProgramError:
    """Return the error of a line that says nothing known."""
    return ProgramError(f"{path}:{number}: not an operation: {why}")


def replay_file(path: Path, machine: Machine) -> None:
    """Carry out a program file as it is read. Raises ProgramError naming file and line."""
    for number, operation in _operations(path):
        try:
            operation.apply(machine)
        except ProgramError as error:
            raise ProgramError(f"{path}:{number}: {error}") from None


def _operations(path: Path) -> Iterator[tuple[int, Operation]]:
    for number, record in read_records(path):
        if "note" not in record:
            try:
                yield number, decode(record)
            except UNREADABLE as error:
                raise not_an_operation(path, number, error) from None


class _CutShort(ProgramError):
    """A file that ends too early."""


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, unpacked if it is compressed; the first is cut where no header is so long."""
    try:
        with path.open("rb") as file:
            stream = gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file
            yield stream.readline(_PENDING)
            yield from stream
    except EOFError:
        raise _CutShort(f"{path}: cut short, its compressed data has no end; make the file again") from None
    except (zlib.error, gzip.BadGzipFile) as error:
        raise ProgramError(f"{path}: damaged, its compressed data cannot be unpacked ({error})") from None
    except OSError as error:
        raise ProgramError(f"{path}: cannot be read ({error.strerror}); give the path of a program file") from None


def _header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(text)
        version = header["cowbench_program"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ProgramError(f"{path}:1: not a cowbench program file (no header line)") from None
    if version not in _READ:
        words = " and ".join(map(str, _READ))
        raise ProgramError(f"{path}:1: program format {version}, this cowbench reads {words}; update cowbench")
    return header
