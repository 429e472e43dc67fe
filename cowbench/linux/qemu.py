"""A QEMU process that leaves nothing behind: its files are in memory, and it dies with the thread that started it."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from cowbench.errors import KernelError

_PROGRAM = "qemu-system-x86_64"
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_LAST_LINES = 3

_APPEND = (
    "console=ttyS1 quiet panic=-1"  # the console apart from the talk, which is on ttyS0; a panic ends QEMU
    " noapic"  # the serial line is four times as fast without the I/O APIC under TCG
    " mitigations=off nokaslr nopti random.trust_cpu=on"  # these only cost time
)


class Qemu:
    """One running guest.

    line: the socket that is the guest's first serial port; its second one, the console, is kept in memory.
    """

    def __init__(self, kernel: Path, initrd: bytes, *, accelerator: str, memory_mib: int = 512, swap_mib: int = 64):
        """Start it; it has not booted yet. Raises KernelError if there is no QEMU."""
        program = shutil.which(_PROGRAM)
        if program is None:
            raise KernelError(f"no {_PROGRAM} on PATH: install qemu-system-x86, or use --kernel host")
        self.line, theirs = socket.socketpair()
        self._console = os.memfd_create("console")
        files = {"initrd": _in_memory("initrd", initrd), "swap": os.memfd_create("swap"), "console": self._console}
        os.ftruncate(files["swap"], swap_mib << 20)
        words = [program, *_options(kernel, files, theirs.fileno(), accelerator, memory_mib)]
        passed = (*files.values(), theirs.fileno())
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=passed,
            process_group=0,  # Ctrl-C is for Python, which then ends QEMU
            preexec_fn=_die_with_parent,
        )
        theirs.close()
        os.close(files["initrd"])
        os.close(files["swap"])

    def stop(self) -> None:
        """End the guest at once; a second call does nothing."""
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        if self._console >= 0:
            os.close(self._console)
            self._console = -1
            self.line.close()
            assert self._process.stderr is not None
            self._process.stderr.close()

    def what_happened(self) -> str:
        """Say why the guest does not answer: it panicked, rebooted, hangs, or QEMU failed. Ends the guest."""
        try:
            code: int | None = self._process.wait(2)
        except subprocess.TimeoutExpired:
            code = None
        self._process.kill()
        assert self._process.stderr is not None
        complaint = self._process.stderr.read().decode(errors="replace").strip()
        return explain(code, self._read_console(), complaint)

    def _read_console(self) -> str:
        size = os.fstat(self._console).st_size
        return os.pread(self._console, size, 0).decode(errors="replace")


def explain(code: int | None, console: str, complaint: str) -> str:
    """Say what became of a guest.

    code: QEMU's exit code, None if it still ran. console: all that the guest printed. complaint: what QEMU printed.
    """
    lines = [re.sub(r"^\[ *[\d.]+\] ", "", line).strip() for line in console.splitlines()]
    lines = [line for line in lines if line]
    last = f"; its last words: {' | '.join(lines[-_LAST_LINES:])}" if lines else "; it printed nothing"
    panics = [line for line in lines if line.startswith("Kernel panic")]
    if panics:
        place = lines.index(panics[0])
        before = f"; before that: {' | '.join(lines[max(place - _LAST_LINES, 0) : place])}" if place else ""
        return f"the guest panicked: {panics[0]}{before}"
    if code is None:
        return f"the guest hangs{last}"
    if code:
        return f"QEMU ended (exit code {code}): {complaint or 'no reason given'}"
    return f"the guest powered off or rebooted by itself{last}"


def _options(kernel: Path, files: dict[str, int], line: int, accelerator: str, memory_mib: int) -> list[str]:
    path = {name: f"/proc/self/fd/{number}" for name, number in files.items()}
    options = ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    options += ["-accel", accelerator, "-m", str(memory_mib), "-smp", "2"]
    options += ["-kernel", str(kernel), "-initrd", path["initrd"], "-append", _APPEND]
    options += ["-chardev", f"socket,id=line,fd={line}", "-serial", "chardev:line"]
    options += ["-serial", f"file:{path['console']}"]
    options += ["-drive", f"if=none,id=swap,file={path['swap']},format=raw,file.locking=off,cache=unsafe"]
    return [*options, "-device", "nvme,drive=swap,serial=swap"]


def _in_memory(name: str, data: bytes) -> int:
    number = os.memfd_create(name)
    with os.fdopen(os.dup(number), "wb") as file:
        file.write(data)
    return number


def _die_with_parent() -> None:
    """Runs in the child: whatever becomes of Python, also by SIGKILL, QEMU does not outlive it."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
