"""Mappings of another process, from /proc/PID/maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KERNELS_OWN = ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")
_HUGE = "/anon_hugepage"


@dataclass(frozen=True)
class Mapping:
    """A mapping from `start` to `stop` (bytes).

    private: writes to it are copied on write. own: the kernel's, such as the vdso. huge: of hugetlb pages. usable: may
    be read.
    """

    start: int
    stop: int
    private: bool
    own: bool
    huge: bool
    usable: bool


def mappings(pid: int) -> Iterator[Mapping]:
    """Yield the mappings of a process, ascending. Raises OSError if it is gone."""
    for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
        span, rights, _, _, _, *rest = line.split(maxsplit=5)
        name = rest[0] if rest else ""
        start, stop = (int(address, 16) for address in span.split("-"))
        own = name in _KERNELS_OWN
        yield Mapping(start, stop, rights.endswith("p") and not own, own, name.startswith(_HUGE), rights[0] == "r")
