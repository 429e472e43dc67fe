"""The denominators in C: compiled at run time into a temporary folder; None of them without a compiler."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cowbench.machine import Pages, Process, Reference

HERE = Path(__file__).parent
O2 = ("-O2",)
O3 = ("-O3", "-march=native")
SHARED = ("-shared", "-fPIC")
NUMBERS = npt.NDArray[np.int64]


class Compiler:
    """Builds the C files beside this one. `path` is None if there is no compiler."""

    def __init__(self) -> None:
        self.path = shutil.which(os.environ.get("CC", "cc"))
        self._folder = tempfile.TemporaryDirectory(prefix="cowbench-")
        self._libraries: dict[tuple[str, ...], ctypes.CDLL] = {}

    def build(self, source: str, *options: str) -> Path:
        """Compile one file. Raises CalledProcessError with the compiler's words on standard error."""
        assert self.path is not None
        output = Path(self._folder.name, "-".join([source, *options]).replace("=", "-"))
        subprocess.run([self.path, *options, str(HERE / source), "-o", str(output)], check=True)
        return output

    def reference(self, frames: int, options: tuple[str, ...] = O2) -> CMachine:
        """Return a fresh C machine with `frames` frames, every column touched."""
        if options not in self._libraries:
            self._libraries[options] = _library(self.build("reference.c", *options, *SHARED))
        return CMachine(self._libraries[options], frames)

    def kernel(self, pages: int) -> Kernel:
        """Return the running kernel's timer, its memory touched."""
        return Kernel(self.build("kernel.c", "-O2"), pages)


def _library(path: Path) -> ctypes.CDLL:
    """Load the C machine and declare its functions."""
    library = ctypes.CDLL(str(path))
    machine, who, number, token = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_uint32
    batch = (ctypes.c_void_p, number, number)
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "names": (ctypes.c_char_p, ()),
        "machine_new": (machine, (number,)),
        "machine_free": (None, (machine,)),
        "machine_counts": (ctypes.POINTER(ctypes.c_int64), (machine,)),
        "machine_spawn": (who, (machine,)),
        "machine_write": (None, (machine, who, *batch, number, token)),
        "machine_read": (number, (machine, who, *batch)),
        "machine_fork": (who, (machine, who)),
        "machine_exit": (None, (machine, who)),
        "machine_take": (who, (machine, who, ctypes.c_int, *batch)),
        "machine_release": (None, (machine, who)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _batch(pages: Pages) -> tuple[int | None, int, int]:
    """Return a batch as the C functions take it: address or NULL, first page, length. `pages` must outlive the call."""
    if isinstance(pages, range):
        return None, pages.start, len(pages)
    assert pages.dtype == np.int64
    assert pages.flags.c_contiguous
    return pages.ctypes.data, 0, len(pages)


class CMachine:
    """reference.c behind the verbs of Machine that the benchmarks use; with-statements free it."""

    def __init__(self, library: ctypes.CDLL, frames: int) -> None:
        self._library = library
        self._machine = library.machine_new(frames)
        self._operations = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.machine_free(self._machine)

    def counts(self) -> dict[str, int]:
        """Return what it counted, by the names of `measure.counts`."""
        names = self._library.names().decode().split()
        return dict(zip(names, self._library.machine_counts(self._machine)[: len(names)], strict=True))

    def spawn(self) -> Process:
        self._operations += 1
        return Process(self._library.machine_spawn(self._machine))

    def write(self, process: Process, pages: Pages) -> None:
        self._operations += 1
        stop = pages.stop if isinstance(pages, range) else int(pages.max()) + 1
        self._library.machine_write(self._machine, process, *_batch(pages), stop, self._operations)

    def read(self, process: Process, pages: Pages) -> None:
        self._operations += 1
        if self._library.machine_read(self._machine, process, *_batch(pages)):
            raise ValueError("reference.c reads present pages only")

    def fork(self, process: Process) -> Process:
        self._operations += 1
        return Process(self._library.machine_fork(self._machine, process))

    def exit(self, process: Process) -> None:
        self._operations += 1
        self._library.machine_exit(self._machine, process)

    def pin(self, process: Process, pages: Pages) -> Reference:
        self._operations += 1
        return Reference(self._library.machine_take(self._machine, process, 0, *_batch(pages)))

    def get(self, process: Process, pages: Pages) -> Reference:
        self._operations += 1
        return Reference(self._library.machine_take(self._machine, process, 1, *_batch(pages)))

    def release(self, reference: Reference) -> None:
        self._operations += 1
        self._library.machine_release(self._machine, reference)


class Kernel:
    """kernel.c as a process that times one thing a request; with-statements end it."""

    def __init__(self, program: Path, pages: int) -> None:
        self._process = subprocess.Popen(
            [str(program), str(pages)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def fork(self) -> tuple[float, float]:
        """Return the seconds of a fork and of that child's exit."""
        return self._ask("fork")

    def fault(self, pages: int) -> tuple[float, float]:
        """Return the seconds of `pages` copy faults and of as many reuse faults."""
        return self._ask(f"fault {pages}")

    def _ask(self, request: str) -> tuple[float, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(request + "\n")
        first, second = map(int, self._answer().split())
        return first / 1e9, second / 1e9

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"kernel.c ended with code {self._process.wait()}")
        return line
