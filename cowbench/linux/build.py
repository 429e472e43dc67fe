"""C programs of the package, compiled on first use and kept in the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from cowbench.errors import KernelError
from cowbench.linux.cache import cache_folder

FREESTANDING = ("-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-pie", "-no-pie")
"""A program that needs no library, not even libc.a."""


def agent() -> Path:
    """Return agent.c compiled. Raises KernelError."""
    return compiled("agent", FREESTANDING)


def compiled(name: str, flags: tuple[str, ...] = ()) -> Path:
    """Return the program that `name`.c of this folder is, compiled with `cc -static -O2` and `flags`.

    Raises KernelError without a compiler, or if it refuses.
    """
    return built(Path(__file__).with_name(f"{name}.c"), ("-static", "-O2", *flags))


def built(source: Path, flags: tuple[str, ...]) -> Path:
    """Return what the compiler makes of a source file with `flags`, from the cache if it is there.

    Raises KernelError without a compiler, or if it refuses.
    """
    key = hashlib.sha256(" ".join(flags).encode() + source.read_bytes()).hexdigest()[:16]
    folder = cache_folder("programs")
    program = folder / f"{source.stem}-{key}"
    if program.exists():
        return program
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise KernelError("no C compiler: install gcc, or name one in CC")
    part = folder / f"{program.name}.{os.getpid()}"
    words = [compiler, *flags, "-o", str(part), str(source)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"{source.name} does not compile; {compiler} says: {done.stderr.strip()}")
    part.replace(program)
    return program
