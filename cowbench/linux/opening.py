"""From what a user wrote to a kernel that answers."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

from cowbench.errors import KernelError
from cowbench.linux.connection import Kernel


def open_kernel(text: str) -> Kernel:
    """Return the kernel that `text` means, ready to carry programs out; whoever asks closes it.

    text: "host", the path of a bzImage, or the name of a cached kernel such as debian:6.1. Raises KernelError.
    """
    if text == "host":
        from cowbench.linux.host import Host

        return Host()
    from cowbench.linux.guest import Guest

    return Guest(text, image_path(text))


def build_of(text: str) -> str:
    """Return what tells the kernel that `text` means from others of the same release."""
    if text == "host":
        return platform.version()
    return hashlib.sha256(image_path(text).read_bytes()).hexdigest()


def image_path(text: str) -> Path:
    """Return the bzImage that `text` means: the path of one, or the name of a cached kernel such as debian:6.1."""
    if Path(text).is_file():
        return Path(text)
    if ":" in text and "/" not in text:
        from cowbench.linux import packages

        return packages.find(text).path
    raise KernelError(f"{text}: no such file; a kernel is host, the path of a bzImage, or a name such as debian:6.1")
