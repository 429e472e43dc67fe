"""A kernel that carries out programs: what is asked of it, and the line to the agent that runs there."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

from cowbench.abilities import Ability
from cowbench.errors import KernelError
from cowbench.linux import wire
from cowbench.linux.applicable import not_applicable, probe
from cowbench.machine import MachineConfig, SwapDevice
from cowbench.observation import Observation
from cowbench.operations import Operation

T = TypeVar("T")
Program = tuple[MachineConfig, Sequence[Operation]]

BATCH_BYTES = 12_000
"""Programs of one message: a serial line's buffer holds them all."""
BATCH_PROGRAMS = 64


class Kernel(Protocol):
    """A real kernel.

    name: what the user called it. release: what uname says. frames: frame numbers can be read. emulated: it runs in an
    emulator, so that measured times mean nothing.
    """

    name: str
    release: str
    frames: bool
    emulated: bool

    def abilities(self) -> dict[Ability, str]:
        """Say of each ability why this kernel lacks it; "" if it has it, as its effect has shown."""
        ...

    def observe(self, operations: Sequence[Operation], config: MachineConfig | None = None) -> Observation:
        """Carry a program out and return what was seen. Raises KernelError if the kernel does not answer."""
        ...

    def observe_many(self, programs: Iterable[Program]) -> Iterator[Observation]:
        """Carry programs out one after the other, several a message; observations come in their order."""
        ...

    def close(self) -> None:
        """End the agent and what it runs in."""
        ...


@dataclass(frozen=True)
class Line:
    """A two-way line to an agent, and how to tell why it went dead.

    source, sink: descriptors to read from and to write to. ended: called when the line closed or fell silent (with
    what the other end printed that was no answer); says what happened.
    """

    source: int
    sink: int
    ended: Callable[[str], str]


class Agent:
    """The agent at the other end of a line.

    timeout_s: how long one answer may take. Raises KernelError, from every method, if the agent ends or does not
    answer in that time.
    """

    def __init__(self, line: Line, timeout_s: float = 60.0) -> None:
        self._line, self._timeout = line, timeout_s
        self._frames = wire.Frames()
        self._selector = selectors.DefaultSelector()
        self._selector.register(line.source, selectors.EVENT_READ)
        self.hello = wire.read_hello(self.answer())

    def say(self, payload: bytes) -> None:
        """Say something."""
        data = wire.frame(payload)
        try:
            while data:
                data = data[os.write(self._line.sink, data) :]
        except OSError:
            raise self._dead() from None

    def answer(self) -> bytes:
        """Return the next answer."""
        deadline = time.monotonic() + self._timeout
        while (payload := self._frames.next()) is None:
            if not self._selector.select(deadline - time.monotonic()):
                raise self._dead(f"no answer for {self._timeout:g} s")
            try:
                new = os.read(self._line.source, 1 << 16)
            except OSError:
                new = b""
            if not new:
                raise self._dead()
            self._frames.feed(new)
        return payload

    def programs(self, programs: Sequence[Sequence[Operation]], *, guard: bool) -> Iterator[Observation]:
        """Carry programs out, as many a message as fit; observations come in their order."""
        batch: list[Sequence[Operation]] = []
        encoded: list[bytes] = []
        for program in programs:
            wire.check_handles(program)
            words = wire.encode_program(program, guard=guard)
            if batch and sum(map(len, encoded)) + len(words) > BATCH_BYTES:
                yield from self._batch(batch, encoded)
                batch, encoded = [], []
            batch.append(program)
            encoded.append(words)
        yield from self._batch(batch, encoded)

    def _batch(self, programs: Sequence[Sequence[Operation]], encoded: Sequence[bytes]) -> Iterator[Observation]:
        self.say(b"P" + wire.varint(len(encoded)) + b"".join(encoded))
        answers = [self.answer() for _ in programs]
        for program, answer in zip(programs, answers, strict=True):
            yield wire.decode_observation(answer, program, frames=self.hello.frames)

    def close(self) -> None:
        """Tell the agent to end."""
        with contextlib.suppress(OSError):
            os.write(self._line.sink, wire.frame(b"Q"))
        self._selector.close()

    def _dead(self, why: str = "") -> KernelError:
        noise = self._frames.noise.decode(errors="replace")
        return KernelError("; ".join(filter(None, (why, self._line.ended(noise)))))


class AgentKernel:
    """A Kernel made of an agent.

    swap: the swap device that page_out goes to, None where it must not go anywhere, with the reason in `no_swap`.
    """

    def __init__(self, name: str, agent: Agent, *, swap: SwapDevice | None, no_swap: str = "", guard: bool) -> None:
        self.name, self.release, self.frames = name, agent.hello.release, agent.hello.frames
        self.emulated = False
        self._agent, self._swap, self._guard = agent, swap, guard
        self._abilities = probe(self._carry_out, agent.hello, swap, no_swap)

    def abilities(self) -> dict[Ability, str]:
        """Say of each ability why this kernel lacks it; "" if it has it, as its effect has shown."""
        return dict(self._abilities)

    def observe(self, operations: Sequence[Operation], config: MachineConfig | None = None) -> Observation:
        """Carry a program out and return what was seen."""
        return next(self.observe_many([(config or MachineConfig(), operations)]))

    def observe_many(self, programs: Iterable[Program]) -> Iterator[Observation]:
        """Carry programs out one after the other, several a message; observations come in their order."""
        for group in batched(programs, BATCH_PROGRAMS):
            facts = self._abilities, self._swap, self._agent.hello.cpus
            reasons = [not_applicable(operations, config, *facts) for config, operations in group]
            fit = [operations for (_, operations), reason in zip(group, reasons, strict=True) if not reason]
            seen = iter(self._agent.programs(fit, guard=self._guard))
            for reason in reasons:
                yield Observation((), reason) if reason else next(seen)

    def close(self) -> None:
        """End the agent."""
        self._agent.close()

    def _carry_out(self, operations: Sequence[Operation]) -> Observation:
        return next(self._agent.programs([operations], guard=self._guard))


def batched(programs: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut a stream into lists of `size` and a last shorter one."""
    stream = iter(programs)
    while group := list(islice(stream, size)):
        yield group
