"""Mappings of another process, from /proc/PID/maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KERNELS_OWN = ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")


@dataclass(frozen=True)
class Mapping:
    """A mapping from `start` to `stop` (bytes). private: writes to it are copied on write."""

    start: int
    stop: int
    private: bool


def mappings(pid: int) -> Iterator[Mapping]:
    """Yield the mappings of a process, ascending. Raises OSError if it is gone."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, *_, name = line.split(maxsplit=5) if line.count(" ") > 4 else (*line.split(), "")
        if name.strip() not in _KERNELS_OWN:
            start, stop = (int(address, 16) for address in span.split("-"))
            yield Mapping(start, stop, rights.endswith("p"))


def private_ranges(pid: int) -> list[tuple[int, int]]:
    """Return where private mappings are, those that touch as one. Raises OSError if the process is gone."""
    ranges: list[tuple[int, int]] = []
    for mapping in mappings(pid):
        if mapping.private and ranges and ranges[-1][1] == mapping.start:
            ranges[-1] = (ranges[-1][0], mapping.stop)
        elif mapping.private:
            ranges.append((mapping.start, mapping.stop))
    return ranges
