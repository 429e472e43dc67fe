"""Times of what a kernel does to memory: a plan of samples, carried out by measure.c."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cowbench import provenance
from cowbench.errors import KernelError
from cowbench.linux.build import compiled
from cowbench.linux.guest import accelerator_of
from cowbench.linux.initramfs import initramfs
from cowbench.linux.qemu import Qemu

_COPIES = 3
"""Room for a sample's pages, for their copies, and for others who want some."""
_ANSWER_S = 120.0
"""How long a guest may take for one sample, or to boot."""


@dataclass(frozen=True)
class Task:
    """One thing to time, as measure.c names it, on memory of `pages` written pages, the first `pinned` of them held."""

    kind: str
    pages: int
    pinned: int = 0

    def __str__(self) -> str:
        """Say what is timed."""
        pinned = f", {self.pinned:,} pinned" if self.pinned else ""
        return f"{self.kind} of {self.pages:,} pages{pinned}"


@dataclass(frozen=True)
class Place:
    """Where times are from. emulated: by an emulator, so that they say nothing about any machine."""

    release: str
    cpu: str
    emulated: bool


Timer = Callable[[Sequence[Task]], Iterator[int]]
"""Answers a plan task by task, in ns; an error number, negative, where the kernel refused."""


@contextmanager
def host(pages: int) -> Iterator[tuple[Timer, Place]]:
    """Give a timer of the running kernel for samples of `pages`, and say where that is. Both raise KernelError."""
    _check_room(pages)
    cpu = provenance.cpu()
    with subprocess.Popen([compiled("measure")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            talk = Talk(process.stdin, process.stdout, lambda: "the measuring program was killed, for want of memory?")
            yield talk.time, Place(talk.release, cpu, "TCG" in cpu)
        finally:
            process.kill()
            with suppress(BrokenPipeError):
                process.stdin.close()


@contextmanager
def guest(text: str, image: Path, pages: int) -> Iterator[tuple[Timer, Place]]:
    """Give a timer of a guest with room for samples of `pages`, and say where that is. Both raise KernelError.

    text: what the user called the kernel.
    """
    accelerator, mib = accelerator_of(image), pages * 4 // 1024
    initrd = initramfs(compiled("measure").read_bytes())
    qemu = Qemu(image, initrd, accelerator=accelerator, memory_mib=256 + _COPIES * mib, swap_mib=64 + 2 * mib)
    try:
        qemu.line.settimeout(_ANSWER_S)
        with qemu.line.makefile("w") as tasks, qemu.line.makefile("r") as answers:
            talk = Talk(tasks, answers, lambda: f"{text}: {qemu.what_happened()}")
            cpu = f"{provenance.cpu()} in QEMU ({accelerator})"
            yield talk.time, Place(talk.release, cpu, accelerator == "tcg")
    finally:
        qemu.stop()


def _check_room(pages: int) -> None:
    """A sample's pages are copied early at most once; beyond that somebody else would pay for it by being killed."""
    meminfo = Path("/proc/meminfo").read_text()
    available = next(int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    needed = pages * 4 * _COPIES
    if needed > available:
        words = f"samples of {pages:,} pages need {needed >> 10:,} MiB of memory, {available >> 10:,} are available"
        raise KernelError(f"{words}; take fewer --pages")


class Talk:
    """A conversation with measure.c. why: says, once it has gone silent, what became of it."""

    def __init__(self, tasks: IO[str], answers: IO[str], why: Callable[[], str]) -> None:
        self._tasks, self._answers, self._why = tasks, answers, why
        self.release = self._read()

    def time(self, plan: Sequence[Task]) -> Iterator[int]:
        """Answer a plan, as a Timer does. Raises KernelError if there is no answer."""
        for task in plan:
            with suppress(OSError):  # a program that is gone is missed when its answer is read
                self._tasks.write(f"{task.kind} {task.pages} {task.pinned}\n")
                self._tasks.flush()
            yield int(self._read(task))

    def _read(self, task: Task | None = None) -> str:
        try:
            line = self._answers.readline().strip()
        except OSError:
            line = ""
        if not line:
            raise KernelError(f"{task or 'measuring'}: no answer; {self._why()}")
        return line


def reason(answer: int) -> str:
    """Say in words why the kernel refused."""
    return os.strerror(-answer)
