"""The backend `linux`: a Machine that writes a script down, for a kernel to carry out as a whole.

No operation needs the outcome of an earlier one, since handles are handed out in order; so a program runs on a kernel
without a round trip for each operation.
"""

from __future__ import annotations

from typing import Any, cast

from cowbench.machine import Machine
from cowbench.operations import Operation, Recorder


class Script:
    """Operations as they were called. `machine` is the Machine to call."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.machine = cast(Machine, Recorder(_Handles(), self.operations.append))


class _Handles:
    """A machine that does nothing but hand out handles."""

    def __init__(self) -> None:
        self._processes = self._references = 0

    def __getattr__(self, name: str) -> Any:
        """Return a method for any operation; the recorder in front lets no other name through."""
        if name in ("spawn", "fork"):
            return self._process
        if name in ("pin", "get"):
            return self._reference
        return lambda **_: None

    def _process(self, during: tuple[Any, ...] = (), **_: Any) -> int:
        self._references += sum(entry.kind != "write" for entry in during)
        self._processes += 1
        return self._processes - 1

    def _reference(self, **_: Any) -> int:
        self._references += 1
        return self._references - 1
