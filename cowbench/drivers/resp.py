"""As much of Redis' protocol as the driver needs: commands as arrays, many in one packet, replies in order."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from cowbench.errors import KernelError


class Client:
    """A connection to a Redis server on this host. Raises OSError if there is none."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._replies = self._socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._replies.close()
        self._socket.close()

    def ask(self, *words: str | bytes) -> bytes:
        """Send one command and return its reply. Raises KernelError if it is an error."""
        return self.ask_all([words])[0]

    def ask_all(self, commands: Iterable[tuple[str | bytes, ...]]) -> list[bytes]:
        """Send commands in one packet and return their replies."""
        packed = [_pack(words) for words in commands]
        self._socket.sendall(b"".join(packed))
        return [self._reply() for _ in packed]

    def info(self, section: str) -> dict[str, str]:
        """Return what INFO says of a section."""
        lines = self.ask("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def _reply(self) -> bytes:
        line = self._replies.readline().rstrip()
        if line.startswith(b"-"):
            raise KernelError(f"Redis refuses: {line[1:].decode()}")
        if not line.startswith(b"$"):
            return line[1:]
        size = int(line[1:])
        return self._replies.read(size + 2)[:size] if size >= 0 else b""


def _pack(words: tuple[str | bytes, ...]) -> bytes:
    parts = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
