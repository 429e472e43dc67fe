"""What tests with guests need: QEMU, a compiler and a cached kernel; on a developer's laptop they may be missing."""

from __future__ import annotations

import os
import shutil

import pytest

from cowbench.errors import KernelError
from cowbench.linux import packages
from cowbench.linux.packages import Image

KERNEL = "debian:6.1"


def cached_image() -> Image:
    """The kernel of the tests. Without it, or what boots it: skipped with the reason, but failed when CI is set."""
    tools = [tool for tool in ("qemu-system-x86_64", "cc") if shutil.which(tool) is None]
    reason = f"no {tools[0]} on PATH" if tools else ""
    try:
        return _image_or_reason(reason)
    except KernelError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def _image_or_reason(reason: str) -> Image:
    if reason:
        raise KernelError(reason)
    return packages.find(KERNEL)
