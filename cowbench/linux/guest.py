"""A kernel in QEMU: any x86-64 bzImage, booted with the agent as its only program."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

from cowbench.errors import KernelError
from cowbench.linux import build
from cowbench.linux.bzimage import check_image
from cowbench.linux.cache import cache_folder
from cowbench.linux.connection import Agent, AgentKernel, Line
from cowbench.linux.initramfs import initramfs
from cowbench.linux.qemu import Qemu

_PROBE_S = 15.0
"""How long a guest under KVM may take to boot; it takes one second where KVM works."""


class Guest(AgentKernel):
    """A booted guest. accelerator: "kvm" or "tcg"; under TCG measured times mean nothing."""

    def __init__(self, name: str, image: Path, timeout_s: float = 60.0) -> None:
        """Boot `image`. timeout_s: how long the boot, and later each answer, may take.

        Raises KernelError: no bzImage, no QEMU, no compiler, a guest that panics or hangs.
        """
        self.accelerator = accelerator_of(image)
        self._qemu = Qemu(image, _initrd(), accelerator=self.accelerator)
        try:
            agent = _agent(self._qemu, name, timeout_s)
            super().__init__(name, agent, swap="disk", guard=agent.hello.guard)
            self.emulated = self.accelerator == "tcg"
        except BaseException:
            self._qemu.stop()
            raise

    def close(self) -> None:
        """End the guest."""
        super().close()
        self._qemu.stop()


def accelerator_of(image: Path) -> str:
    """Return "kvm" if a guest boots under it, else "tcg". Raises KernelError if `image` is no bzImage."""
    check_image(image)
    return "kvm" if _kvm_boots(image, _initrd()) else "tcg"


def _initrd() -> bytes:
    return initramfs(build.agent().read_bytes())


def _agent(qemu: Qemu, name: str, timeout_s: float) -> Agent:
    number = qemu.line.fileno()
    return Agent(Line(number, number, lambda noise: f"{name}: {qemu.what_happened()}"), timeout_s)


def _kvm_boots(image: Path, initrd: bytes) -> bool:
    """Tell whether this very guest boots under KVM, once: that /dev/kvm opens is no proof."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    key = hashlib.sha256(platform.release().encode() + image.read_bytes()).hexdigest()[:16]
    answer = cache_folder("kvm") / key
    if not answer.exists():
        answer.write_text("boots" if _probe(image, initrd) else "fails")
    return answer.read_text() == "boots"


def _probe(image: Path, initrd: bytes) -> bool:
    qemu = Qemu(image, initrd, accelerator="kvm")
    try:
        _agent(qemu, "probe", _PROBE_S)
    except KernelError:
        return False
    finally:
        qemu.stop()
    return True
