"""Where cowbench keeps what is costly to get again: kernels, compiled programs."""

from __future__ import annotations

import os
from pathlib import Path

from cowbench.errors import KernelError


def cache_folder(name: str) -> Path:
    """The folder `name` of this user's cache, made if it is not there.

    The cache is COWBENCH_CACHE, else cowbench in XDG_CACHE_HOME, else in ~/.cache. Raises KernelError if it cannot be
    written.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("COWBENCH_CACHE") or Path(home) / "cowbench") / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KernelError(f"cannot write the cache {folder}: {error.strerror}; set COWBENCH_CACHE") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise KernelError(f"cannot write the cache {folder}: permission denied; set COWBENCH_CACHE")
    return folder
