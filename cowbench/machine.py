"""What a workload may do to memory: the one interface that every backend implements.

Handles are small integers handed out in order (0, 1, 2, ...), the same on every backend for the same
operations, so a recorded program needs no results. A fork that fails still hands out a handle; the
child was never born, and whatever a script asks of it does nothing.

Batches have sequential meaning: the outcome equals that of their pages done one by one, in order.
Every operation, also one nested in `fork(during=...)`, takes the next number; a write stores that
number in its pages as their *token*, so a reader sees who wrote and when. Untouched pages read 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NewType, Protocol, get_args

import numpy as np
import numpy.typing as npt

from cowbench.errors import ProgramError

Process = NewType("Process", int)
Reference = NewType("Reference", int)
Pages = range | npt.NDArray[np.integer]
"""Virtual page numbers: a range of step 1 (the fast path) or an integer array, duplicates allowed.

An empty batch is legal and does nothing.
"""

PageState = Literal["locked", "speculative", "writeback"]
"""What `stage` can put a page into: locked by somebody, one speculative count that nobody owns, under swap
writeback.
"""

Capability = Literal["stage", "fork_interleaving", "allocation_failure", "synchronous_swap", "stable_writes", "limits"]
"""What only some backends can do; a backend without it raises NotApplicable."""

SwapDevice = Literal["disk", "synchronous"]

MAX_PAGES = 1 << 29
"""Pages of one address space, and frames of one machine, stay below this."""
MAX_CPUS = 8
MAX_MEMCG = (1 << 16) - 1


@dataclass(frozen=True)
class MachineConfig:
    """The computer a program runs on.

    frames: physical frames (4 KiB each) that anonymous memory may use.
    cpus: number of CPUs, each with its own LRU batch.
    swap: "disk" (asynchronous; through the swap cache) or "synchronous" (zram, pmem; may bypass it).
    stable_writes: the swap device must not see a page change under writeback.
    memcg_limits: memory cgroup number -> frames it may charge; a group without entry has no limit.
    atomic_reserve: frames that atomic allocations of one fork may take before they fail.
    """

    frames: int = 1 << 24
    cpus: int = 2
    swap: SwapDevice = "disk"
    stable_writes: bool = False
    memcg_limits: dict[int, int] = field(default_factory=dict)
    atomic_reserve: int = 1024

    def __post_init__(self) -> None:
        """Raise ProgramError for a computer that cannot be."""
        _check_whole("frames", self.frames, 1, MAX_PAGES - 1)
        _check_whole("cpus", self.cpus, 1, MAX_CPUS)
        _check_whole("atomic_reserve", self.atomic_reserve, 0, MAX_PAGES - 1)
        for group, limit in self.memcg_limits.items():
            _check_whole("memory cgroup", group, 0, MAX_MEMCG)
            _check_whole(f"memcg_limits of group {group}", limit, 0, MAX_PAGES - 1)
        if self.swap not in get_args(SwapDevice):
            raise ProgramError(f"swap={self.swap} must be one of {', '.join(get_args(SwapDevice))}")
        if not isinstance(self.stable_writes, bool):
            raise ProgramError(f"stable_writes={self.stable_writes} must be true or false")


def _check_whole(name: str, value: object, low: int, high: int) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not low <= int(value) <= high:  # type: ignore[call-overload]
        raise ProgramError(f"{name}={value} must be a whole number from {low} to {high}")


@dataclass(frozen=True)
class During:
    """An operation of another thread of the forking process that lands when fork's walk reaches page `at`.

    It lands after fork has decided about that page and before it write-protects or copies it. A write
    goes through its pages in order and waits for the end of fork at the first that would fault.
    `kind` "pin" is a long-term FOLL_PIN for writing, "get" a coherent FOLL_GET for writing, both by GUP-fast.
    """

    at: int
    kind: Literal["write", "pin", "get"]
    pages: Pages


class Machine(Protocol):
    """The memory of one computer, as programs see it. Unknown or dead handles raise ProgramError."""

    def spawn(self, *, cpu: int = 0, memcg: int = 0) -> Process:
        """Start a process with an empty address space on `cpu`, charged to memory cgroup `memcg`."""
        ...

    def write(self, process: Process, pages: Pages) -> None:
        """Store this operation's token in each page. Raises OutOfFrames; earlier pages stay written."""
        ...

    def read(self, process: Process, pages: Pages) -> None:
        """Load each page: absent pages map the zero page, swapped ones come back. Raises OutOfFrames."""
        ...

    def fork(
        self,
        process: Process,
        *,
        during: Sequence[During] = (),
        fail_at: int | None = None,
        memcg: int | None = None,
    ) -> Process:
        """Fork; the child runs on its parent's CPU, in group `memcg` or the parent's.

        `during` (ordered by `at`) needs capability fork_interleaving. `fail_at=n` makes the n-th (from 1)
        early-copy allocation of this fork fail and needs allocation_failure. Each entry of `during`
        that pins or gets hands out a reference, after the child's process handle.
        """
        ...

    def exec(self, process: Process) -> None:
        """Replace the address space by an empty one; references live on."""
        ...

    def exit(self, process: Process) -> None:
        """End the process; its references live on."""
        ...

    def protect(self, process: Process, pages: Pages, *, tracked: bool = False) -> None:
        """mprotect to read-only and back; `tracked`: with soft-dirty cleared, so that the next write faults."""
        ...

    def dontfork(self, process: Process, pages: Pages) -> None:
        """MADV_DONTFORK: children do not get these pages."""
        ...

    def discard(self, process: Process, pages: Pages) -> None:
        """MADV_DONTNEED: the pages are gone and read 0 again; references keep the old memory."""
        ...

    def page_out(self, process: Process, pages: Pages, *, drop: bool = False) -> None:
        """MADV_PAGEOUT; `drop`: written pages also leave the swap cache (always so on a synchronous device)."""
        ...

    def pin(self, process: Process, pages: Pages, *, write: bool = True, longterm: bool = False) -> Reference:
        """Take FOLL_PIN references. A pin is coherent: its owner must keep seeing the same memory."""
        ...

    def get(self, process: Process, pages: Pages, *, write: bool = False, coherent: bool = True) -> Reference:
        """Take FOLL_GET references: coherent (O_DIRECT) or a snapshot (vmsplice; read only)."""
        ...

    def release(self, reference: Reference) -> None:
        """Drop a reference; its owner may be gone."""
        ...

    def device_write(self, reference: Reference) -> None:
        """Store this operation's token in all pages of a write reference, past every page table."""
        ...

    def device_read(self, reference: Reference) -> None:
        """Load all pages of a reference."""
        ...

    def move(self, process: Process, cpu: int) -> None:
        """Run the process on another CPU from now on."""
        ...

    def drain(self, cpu: int) -> None:
        """Flush the LRU batch of `cpu` (what MADV_COLD on a page of one's own does there)."""
        ...

    def stage(self, process: Process, pages: Pages, state: PageState, on: bool) -> None:
        """Put pages into a state that programs cannot ask for, or end it; needs capability stage."""
        ...
