"""Descriptors that are waited for, each with what is to be done when it has something to say."""

from __future__ import annotations

import select
from collections.abc import Callable


class Watch:
    """Waits for many descriptors in one thread."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._calls: dict[int, Callable[[], None]] = {}

    def add(self, descriptor: int, call: Callable[[], None]) -> None:
        """Call `call` whenever the descriptor can be read."""
        self._calls[descriptor] = call
        self._poll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Wait for it no longer; it must still be open."""
        del self._calls[descriptor]
        self._poll.unregister(descriptor)

    def wait(self, seconds: float) -> list[Callable[[], None]]:
        """Return what is to be done now, after `seconds` at the latest. What was removed meanwhile does nothing."""
        ready = self._poll.poll(max(0.0, seconds))
        return [self._once(descriptor) for descriptor, _ in ready]

    def _once(self, descriptor: int) -> Callable[[], None]:
        def call() -> None:
            found = self._calls.get(descriptor)
            if found is not None:
                found()

        return call

    def close(self) -> None:
        """Wait for nothing any more."""
        self._poll.close()
