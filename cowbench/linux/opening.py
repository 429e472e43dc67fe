"""From what a user wrote to a kernel that answers."""

from __future__ import annotations

from pathlib import Path

from cowbench.errors import KernelError


def image_path(text: str) -> Path:
    """The bzImage that `text` means: the path of one, or the name of a cached kernel such as debian:6.1."""
    if Path(text).is_file():
        return Path(text)
    if ":" in text and "/" not in text:
        from cowbench.linux import packages

        return packages.find(text).path
    raise KernelError(f"{text}: no such file; a kernel is host, the path of a bzImage, or a name such as debian:6.1")
