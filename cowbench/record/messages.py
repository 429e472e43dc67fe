"""What the preloaded library says: datagrams to an abstract socket, in one queue for all processes."""

from __future__ import annotations

import array
import os
import secrets
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum

_FORM = struct.Struct("32sIIQQQQ")
_CREDENTIALS = struct.Struct("iII")
_ROOM = socket.CMSG_SPACE(2 * 4) + socket.CMSG_SPACE(_CREDENTIALS.size)
_BUFFER = 1 << 20


class Kind(IntEnum):
    """As in preload.c."""

    HELLO = 1
    FORKING = 2
    CHILD = 3
    EXEC = 4
    EXIT = 5
    ADVICE = 6
    PROTECT = 7
    ASK = 8
    LOOK = 9
    PIN = 10
    UNPIN = 11
    SPLICE = 12
    DIRECT = 13
    DIRECT_END = 14


@dataclass
class Message:
    """One message. sender: its pid. tracker: the userfaultfd that came with it, or -1. number, a, b, c: by kind.

    waited: ns that the sender waited for answers before this one.
    """

    kind: Kind
    sender: int
    number: int
    a: int
    b: int
    c: int
    waited: int = 0
    tracker: int = -1
    _answer: int = -1

    def answer(self) -> None:
        """Let the sender go on, if it waits."""
        if self._answer >= 0:
            os.close(self._answer)
            self._answer = -1


class Mailbox:
    """The recorder's end. `address` is what COWBENCH_RECORD must be in the recorded tree."""

    def __init__(self) -> None:
        name, self._token = f"cowbench-{secrets.token_hex(8)}", secrets.token_hex(16)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{name}")
        self.address = f"{name}:{self._token}"

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def next(self) -> Message | None:
        """Return the next message, or None if there is none now. What does not know the token is left out."""
        while True:
            try:
                data, extras, _, _ = self._socket.recvmsg(_FORM.size, _ROOM)
            except BlockingIOError:
                return None
            sender, passed = _extras(extras)
            if len(data) == _FORM.size and data[:32].decode("ascii", "replace") == self._token:
                return _message(data, sender, passed)
            for descriptor in passed:
                os.close(descriptor)

    def close(self) -> None:
        """Close the socket; whoever waits for an answer goes on."""
        while message := self.next():
            message.answer()
            if message.tracker >= 0:
                os.close(message.tracker)
        self._socket.close()


def _extras(extras: list[tuple[int, int, bytes]]) -> tuple[int, list[int]]:
    sender, passed = 0, array.array("i")
    for _, kind, data in extras:
        if kind == socket.SCM_RIGHTS:
            passed.frombytes(data[: len(data) - len(data) % 4])
        elif kind == socket.SCM_CREDENTIALS:
            sender = _CREDENTIALS.unpack(data)[0]
    return sender, passed.tolist()


def _message(data: bytes, sender: int, passed: list[int]) -> Message:
    _, kind, number, a, b, c, waited = _FORM.unpack(data)
    answer, tracker = (*passed, -1, -1)[:2]
    return Message(Kind(kind), sender, number, a, b, c, waited, tracker, answer)
