"""Starts the program that is to be recorded."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cowbench.errors import RecordError

_PR_SET_THP_DISABLE = 41
_FOLDER = Path("/run/cowbench")
_libc = ctypes.CDLL(None, use_errno=True)


def start(program: Sequence[str], library: Path, address: str) -> subprocess.Popen[bytes]:
    """Start a program with the library preloaded. Raises RecordError if it cannot be, or would not load it.

    It and all its children get no huge pages.
    """
    path = find(program[0])
    preload = " ".join(filter(None, (str(library), os.environ.get("LD_PRELOAD", ""))))
    settings = {**os.environ, "LD_PRELOAD": preload, "COWBENCH_RECORD": address}
    try:
        return subprocess.Popen(program, executable=path, env=settings, preexec_fn=_no_huge_pages)
    except (OSError, subprocess.SubprocessError) as error:
        raise RecordError(f"{program[0]} cannot be started: {getattr(error, 'strerror', error)}") from None


def _no_huge_pages() -> None:
    _libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)


def install(library: Path) -> Path:
    """Put the library where every user can read it, and where it stays as long as programs may ask for it."""
    target = _FOLDER / f"{library.name}.so"
    if not target.exists():
        try:
            _FOLDER.mkdir(mode=0o755, exist_ok=True)
            part = target.with_suffix(f".{os.getpid()}")
            part.write_bytes(library.read_bytes())
            part.chmod(0o755)
            part.replace(target)
        except OSError as error:
            raise RecordError(
                f"cannot write {target}: {error.strerror}; recording needs a writable {_FOLDER}"
            ) from None
    return target


def find(name: str) -> Path:
    """Return where a program is. Raises RecordError if there is none, or if it is static."""
    found = shutil.which(name)
    if found is None:
        raise RecordError(f"{name} cannot be started: no such program; give one that is in PATH, or its path")
    if is_static(Path(found)):
        raise RecordError(f"{name} is a static program, into which nothing can be loaded; record a dynamic build of it")
    return Path(found)


def is_static(path: Path) -> bool:
    """Tell whether a file is an ELF program without a dynamic loader; a script is what its interpreter is."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"#!"):
        words = head[2:].split(b"\n", 1)[0].split()
        return bool(words) and Path(os.fsdecode(words[0])).exists() and is_static(Path(os.fsdecode(words[0])))
    if not head.startswith(b"\x7fELF") or head[4] != 2:
        return False
    table, size, count = (int.from_bytes(head[a:b], "little") for a, b in ((32, 40), (54, 56), (56, 58)))
    kinds = (int.from_bytes(head[at : at + 4], "little") for at in range(table, table + size * count, size))
    return _PT_INTERP not in kinds


_PT_INTERP = 3
