"""What is said to the agent and what it answers; the protocol stands at the top of agent.c."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from cowbench import operations as ops
from cowbench.errors import KernelError, ProgramError
from cowbench.machine import Pages
from cowbench.observation import ABSENT, SWAPPED, ZERO_PAGE, Numbers, Observation, Step
from cowbench.operations import Operation, PageOut, encode_pages

MAGIC = b"\x01cow"
HEAD = 12
"""Bytes of a frame before its payload."""
PROTOCOL = 2

CODES: dict[type[Operation], int] = {
    kind: code
    for code, kind in enumerate(
        (
            *(ops.Spawn, ops.Write, ops.Read, ops.Fork, ops.Exec, ops.Exit, ops.Protect, ops.Dontfork, ops.Discard),
            *(ops.PageOut, ops.Pin, ops.Get, ops.Release, ops.DeviceWrite, ops.DeviceRead, ops.Move, ops.Drain),
        ),
        start=1,
    )
}
_FLAGS = {ops.Protect: "tracked", ops.PageOut: "drop", ops.Get: "write", ops.Move: "cpu"}
"""The second field of an operation, where it has one."""
_KINDS = (ABSENT, SWAPPED, ZERO_PAGE)
NOTHING: Numbers = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Hello:
    """What an agent says about itself.

    cpus: how many it may run on. guard: it can keep others off them. frames: it may read frame numbers.
    """

    protocol: int
    cpus: int
    uid: int
    guard: bool
    frames: bool
    swap: bool
    release: str


def frame(payload: bytes) -> bytes:
    """Wrap a payload."""
    return MAGIC + struct.pack("<II", len(payload), zlib.adler32(payload)) + payload


class Frames:
    """Takes bytes as they come, gives payloads; what lies between frames is kept as `noise`, the console's words."""

    def __init__(self) -> None:
        self.noise = b""
        self._bytes = b""

    def feed(self, new: bytes) -> None:
        """Take more bytes."""
        self._bytes += new

    def next(self) -> bytes | None:
        """Return the next whole payload, None if it has not come yet. Raises KernelError for one that is garbled."""
        start = self._bytes.find(MAGIC)
        if start < 0:
            keep = len(MAGIC) - 1
            self._noise(len(self._bytes) - keep)
            return None
        self._noise(start)
        if len(self._bytes) < HEAD:
            return None
        size, check = struct.unpack_from("<II", self._bytes, len(MAGIC))
        if len(self._bytes) < HEAD + size:
            return None
        payload = self._bytes[HEAD : HEAD + size]
        self._bytes = self._bytes[HEAD + size :]
        if zlib.adler32(payload) != check:
            raise KernelError("an answer of the agent came garbled; is something else writing to its line?")
        return payload

    def _noise(self, size: int) -> None:
        if size > 0:
            self.noise = (self.noise + self._bytes[:size])[-65536:]
            self._bytes = self._bytes[size:]


def varint(value: int) -> bytes:
    """Write a number that is not negative as LEB128."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


class Reader:
    """Reads the numbers of a payload, in order."""

    def __init__(self, payload: bytes) -> None:
        self._payload, self._at = payload, 0

    def kind(self) -> str:
        """Return the first byte as a letter."""
        self._at += 1
        return chr(self._payload[self._at - 1])

    def number(self) -> int:
        """Return the next number."""
        value = shift = 0
        while True:
            byte = self._payload[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def text(self) -> str:
        """Return the next string."""
        size = self.number()
        self._at += size
        return self._payload[self._at - size : self._at].decode(errors="replace")


def read_hello(payload: bytes) -> Hello:
    """Read the answer to H. Raises KernelError for an agent of another version."""
    reader = Reader(payload)
    if reader.kind() != "H" or (protocol := reader.number()) != PROTOCOL:
        raise KernelError("the agent speaks another protocol; clear cowbench's cache of compiled programs")
    cpus, uid, guard, frames, swap = (reader.number() for _ in range(5))
    return Hello(protocol, cpus, uid, bool(guard), bool(frames), bool(swap), reader.text())


def encode_program(operations: Sequence[Operation], *, guard: bool) -> bytes:
    """Write one program; it must name only what CODES holds, with handles as they are handed out."""
    body = b"".join(_operation(operation) for operation in operations)
    sizes = [len(operation.pages) for operation in operations if hasattr(operation, "pages")]
    pages = max((int(max(o.pages)) + 1 for o in operations if hasattr(o, "pages") and len(o.pages)), default=1)
    forks = sum(isinstance(operation, ops.Fork) for operation in operations)
    slots = forks + sum(isinstance(operation, ops.Spawn | ops.Exec) for operation in operations)
    references = sum(isinstance(operation, ops.Pin | ops.Get) for operation in operations)
    tokens = max(sizes, default=0)
    reads = sum(isinstance(operation, ops.Read | ops.DeviceRead) for operation in operations)
    reply = 64 * (len(operations) + 1) + 16 * (sum(sizes) + forks * pages) + 10 * reads * tokens
    numbers = (guard, pages, used_cpus(operations), slots, references, tokens, reply, len(operations), len(body))
    return b"".join(map(varint, numbers)) + body


def used_cpus(operations: Sequence[Operation]) -> int:
    """Return the CPUs that a program names, as bits; CPU 0 always."""
    mask = 1
    for operation in operations:
        mask |= 1 << getattr(operation, "cpu", 0)
    return mask


def _operation(operation: Operation) -> bytes:
    first = next((getattr(operation, name) for name in ("process", "reference", "cpu") if hasattr(operation, name)), 0)
    numbers = [int(first)]
    if type(operation) in _FLAGS:
        numbers.append(int(getattr(operation, _FLAGS[type(operation)])))
    if hasattr(operation, "pages"):
        # Each run is a call: a second MADV_PAGEOUT drains the LRU batch, and pages under writeback enter another one.
        once = isinstance(operation, PageOut) and one_run(operation.pages)
        numbers += _pages(np.unique(operation.pages) if once else operation.pages)
    return bytes([CODES[type(operation)]]) + b"".join(map(varint, numbers))


def _pages(pages: Pages) -> list[int]:
    """Return runs as first, count and how often the run comes in a row: a page gotten a thousand times is one run."""
    runs = [(run, run + 1) if isinstance(run, int) else (run[0], run[1]) for run in encode_pages(pages)]
    repeated = [(first, stop - first, len(list(same))) for (first, stop), same in groupby(runs)]
    return [len(repeated), *(number for run in repeated for number in run)]


def decode_observation(payload: bytes, operations: Sequence[Operation], *, frames: bool) -> Observation:
    """Read what was seen of a program; without `frames`, no places.

    Raises KernelError for a program that could not be carried out.
    """
    reader = Reader(payload)
    kind = reader.kind()
    if kind == "E":
        raise KernelError(f"the agent could not carry the program out: {reader.text()}")
    if kind != "O" or reader.number() != len(operations):
        raise KernelError("the agent answered something else than what was asked")
    return Observation(tuple(_step(reader, frames) for _ in operations))


def _step(reader: Reader, frames: bool) -> Step:
    failed, ns = reader.number(), reader.number()
    tokens = np.array([reader.number() for _ in range(reader.number())], np.int64)
    rows: list[tuple[int, int, int]] = []
    last = 0
    while process := reader.number():
        page = 0
        for _ in range(reader.number()):
            page += reader.number()
            place = reader.number()
            if place < len(_KINDS):
                rows.append((process - 1, page, _KINDS[place]))
                continue
            zigzag = place - len(_KINDS)
            last += (zigzag >> 1) ^ -(zigzag & 1)
            rows.append((process - 1, page, last))
    process_, pages, places = np.array(rows if frames else [], np.int64).reshape(-1, 3).T
    return Step(process_, pages, places, tokens, "fork failed" if failed else "", ns)


def check_handles(operations: Sequence[Operation]) -> None:
    """Raise ProgramError if a program names a process or reference that is not there, as any machine does."""
    processes: list[bool] = []
    references: list[bool] = []
    for index, operation in enumerate(operations):
        for name, alive in (("process", processes), ("reference", references)):
            handle = getattr(operation, name, None)
            if handle is not None and not (0 <= handle < len(alive) and alive[handle]):
                raise ProgramError(f"operation {index + 1} ({operation.op}): there is no {name} {handle}")
        if isinstance(operation, ops.Spawn | ops.Fork):
            processes.append(True)
        if isinstance(operation, ops.Pin | ops.Get):
            references.append(True)
        if isinstance(operation, ops.Exit):
            processes[operation.process] = False
        if isinstance(operation, ops.Release):
            references[operation.reference] = False


def one_run(pages: Pages) -> bool:
    """Tell whether pages, without their repetitions, are consecutive and come in ascending order."""
    if isinstance(pages, range):
        return True
    return len(pages) < 2 or bool(np.isin(np.diff(pages), (0, 1)).all())
