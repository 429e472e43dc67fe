"""A process that is recorded, through the descriptors that lead to it."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np

from cowbench.machine import Process
from cowbench.record.maps import Mapping
from cowbench.record.messages import Kind
from cowbench.record.pagemap import PAGE, TOP, Numbers
from cowbench.record.window import Window

NONE: Numbers = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Found:
    """What a look finds. pages: written. gone: taken away since, as far as nothing else tells."""

    pages: Numbers
    gone: Numbers = field(default_factory=lambda: NONE)


@dataclass
class Traced(ABC):
    """A process, whatever the way to find its written pages. Methods raise ProcessLookupError if it is gone.

    forking: number of its fork that is under way, or 0. window: its frames since its last fork or its birth by one.
    leaving: it said that it executes another program or ends; left: that is recorded. lost: looks that found no memory.
    waited: ns, for the recorder. memory: its pagemap. life: its pidfd. untracked: mappings that are left out.
    announced: ranges that it said it unmaps. freed: starts of what it freed lazily. spared: ranges children do not get,
    with how many pages of them that was said of. sealed: ranges that it made read-only.
    """

    pid: int
    handle: Process
    parent: int = 0
    forking: int = 0
    window: Window | None = None
    leaving: Kind | None = None
    left: bool = False
    lost: int = 0
    waited: int = 0
    memory: int = -1
    life: int = -1
    untracked: set[Mapping] = field(default_factory=set)
    announced: set[tuple[int, int]] = field(default_factory=set)
    freed: set[int] = field(default_factory=set)
    spared: dict[tuple[int, int], int] = field(default_factory=dict)
    sealed: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open what leads to it."""
        self.memory = os.open(f"/proc/{self.pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        self.life = os.pidfd_open(self.pid)

    def is_empty(self) -> bool:
        """Tell whether the memory is gone."""
        return not os.pread(self.memory, 8, 8)

    @abstractmethod
    def written(self) -> Found:
        """Return what changed since the last look."""

    @abstractmethod
    def written_between(self, start: int, stop: int) -> Numbers:
        """Return the pages written between two addresses since the last look."""

    @abstractmethod
    def there(self, start: int = 0, stop: int = TOP) -> tuple[Numbers, Numbers]:
        """Return the anonymous pages between two addresses, and their frames."""

    def close(self) -> None:
        """Close what leads to it; it is no longer tracked."""
        os.close(self.life)
        os.close(self.memory)


def pages_of(found: set[Mapping]) -> int:
    """Return the size of mappings in pages."""
    return sum(one.stop - one.start for one in found) // PAGE
