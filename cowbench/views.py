"""What a policy sees of a batch of pages: read-only arrays of what the kernel could see, and the actions of its era.

A view holds copies. It has no way to the machine, to tokens, to other processes or to the truth; the actions
change the view's own columns and are carried out by the engine when the answer is applied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cowbench.errors import PluginError

Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int32]
Scan = Literal["nothing", "referenced", "all"]
"""Which pages fork shows to `copy_early`: none; those whose refcount could reach 1,000 or that somebody holds a
reference to; or all present anonymous pages."""


@dataclass
class Mm:
    """What a policy remembers about an address space; a fork child and an exec start afresh.

    has_pinned: sticky mark (mm->has_pinned, later MMF_HAS_PINNED). pins: a counter. Change them in on_pin and on_unpin.
    """

    has_pinned: bool = False
    pins: int = 0


@dataclass(frozen=True)
class Truth:
    """What only an oracle may see: is there an observer besides the process; is its reference coherent."""

    observed: Mask
    coherent: Mask


@dataclass
class Columns:
    """Facts about n pages, one entry a page; boolean unless said.

    mapcount, swap_count (swap entries that name the slot; 0 outside the swap cache), refcount: int32.
    local: held by the LRU batch of the process's CPU. entering: enters it only when the fault reaches this page.
    """

    refcount: Counts
    mapcount: Counts
    swap_count: Counts
    exclusive: Mask
    in_swap_cache: Mask
    writeback: Mask
    locked: Mask
    on_lru: Mask
    local: Mask
    entering: Mask

    settled: bool = False
    """Nothing but mappings and the exclusive mark differs from page to page: the actions have nothing to do."""

    @classmethod
    def plain(cls, mapcount: Counts, exclusive: Mask) -> Columns:
        """Return the columns of settled pages with no reference but their mappings."""
        none, every = nowhere(len(mapcount)), everywhere(len(mapcount))
        return cls(
            mapcount, mapcount, zeros(len(mapcount)), exclusive, none, none, none, every, none, none, settled=True
        )


def read_only(array: np.ndarray) -> np.ndarray:
    """Return a view of `array` that cannot be written."""
    view = array.view()
    view.flags.writeable = False
    return view


_NONE: Mask = read_only(np.zeros(1 << 16, np.bool_))
_EVERY: Mask = read_only(np.ones(1 << 16, np.bool_))
_ZERO: Counts = read_only(np.zeros(1 << 16, np.int32))
"""Constant columns are shared, so nothing changes a column in place. Blocks of faults are no longer than these."""


def _shared(constant: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    return constant[:size] if size <= len(constant) else read_only(np.full(size, constant[0]))


def nowhere(size: int) -> Mask:
    """Return a read-only mask that is false everywhere."""
    return _shared(_NONE, size)


def everywhere(size: int) -> Mask:
    """Return a read-only mask that is true everywhere."""
    return _shared(_EVERY, size)


def zeros(size: int) -> Counts:
    """Return read-only counts of zero."""
    return _shared(_ZERO, size)


class PageView:
    """The columns every view shows. All arrays have one entry a page and cannot be written."""

    def __init__(self, columns: Columns, mm: Mm, truth: Truth | None = None) -> None:
        self._columns = columns
        self.mm = mm
        self.truth = truth

    def __len__(self) -> int:
        return len(self._columns.mapcount)

    @property
    def refcount(self) -> Counts:
        """page_count(): mappings, swap cache, LRU batch, +1 a FOLL_GET, +1024 a FOLL_PIN."""
        return read_only(self._columns.refcount)

    @property
    def mapcount(self) -> Counts:
        """page_mapcount(): present entries that map the page."""
        return read_only(self._columns.mapcount)

    @property
    def swap_count(self) -> Counts:
        """Swap entries that name the page's slot; 0 for a page outside the swap cache."""
        return read_only(self._columns.swap_count)

    @property
    def exclusive(self) -> Mask:
        """PG_anon_exclusive; for a page being swapped in, the exclusive mark of its swap entry."""
        return read_only(self._columns.exclusive)

    @property
    def in_swap_cache(self) -> Mask:
        """PageSwapCache()."""
        return read_only(self._columns.in_swap_cache)

    @property
    def writeback(self) -> Mask:
        """PageWriteback()."""
        return read_only(self._columns.writeback)

    @property
    def on_lru(self) -> Mask:
        """PageLRU(): false while a page waits in a per-CPU batch."""
        return read_only(self._columns.on_lru)


def told(view: PageView) -> Truth:
    """Return the truth, for an oracle. Raises PluginError for a policy that did not declare `sees_truth`."""
    if view.truth is None:
        raise PluginError("the truth is told only to a policy that declares sees_truth = True")
    return view.truth


class FaultView(PageView):
    """A batch of faults in order, with the actions that rules take between their tests."""

    def __init__(self, columns: Columns, mm: Mm, stable_writes: bool, truth: Truth | None = None) -> None:
        super().__init__(columns, mm, truth)
        self.stable_writes = stable_writes
        self.drains = self.freed = self.refused = nowhere(len(self))

    def drain_local_batch(self, at: Mask) -> None:
        """lru_add_drain(): flush this CPU's batch when the fault `at` reaches its page; later pages see it too."""
        columns = self._columns
        if columns.settled:
            return
        waiting = at & ~columns.on_lru
        if not waiting.any():
            return
        first = int(np.argmax(waiting))
        flushed = columns.local & ~columns.entering
        flushed[:first] = False
        waiting[first + 1 :] &= ~flushed[first + 1 :]
        flushed |= waiting & columns.entering
        columns.refcount = columns.refcount - flushed
        columns.on_lru = columns.on_lru | flushed
        columns.local = columns.local & ~flushed
        self.drains = self.drains | waiting

    def trylock(self, at: Mask) -> Mask:
        """trylock_page() on the pages `at`; return those whose lock was taken."""
        if self._columns.settled:
            return at
        self.refused = self.refused | (at & self._columns.locked)
        return at & ~self._columns.locked

    def free_swap_cache(self, at: Mask) -> None:
        """try_to_free_swap() on the pages `at`: refuses under writeback and while other swap entries name the slot."""
        columns = self._columns
        if columns.settled:
            return
        freed = at & columns.in_swap_cache & ~columns.writeback & (columns.swap_count <= self._own_entries())
        if freed.any():
            columns.refcount = columns.refcount - freed
            columns.in_swap_cache = columns.in_swap_cache & ~freed
            self.freed = self.freed | freed

    def _own_entries(self) -> int:
        return 0


class WriteFault(FaultView):
    """Write faults on present read-only anonymous pages (do_wp_page), or unshare faults for read-only pins.

    unshare: the fault comes from a pin for reading; reuse then means "leave it read-only, mark it exclusive".
    """

    def __init__(
        self, columns: Columns, mm: Mm, stable_writes: bool, unshare: bool = False, truth: Truth | None = None
    ) -> None:
        super().__init__(columns, mm, stable_writes, truth)
        self.unshare = unshare


class SwapIn(FaultView):
    """Faults on swap entries (do_swap_page), the page locked, before it is mapped.

    refcount holds the fault's own reference; swap_count still counts the faulting entry. fresh: read outside
    the swap cache. write: the access is a write.
    """

    def __init__(
        self, columns: Columns, mm: Mm, stable_writes: bool, write: bool, fresh: Mask, truth: Truth | None = None
    ) -> None:
        super().__init__(columns, mm, stable_writes, truth)
        self.write = write
        self.fresh: Mask = read_only(fresh)

    def _own_entries(self) -> int:
        return 1


class ForkPages(PageView):
    """Present anonymous pages of the parent that fork shows to the policy (copy_present_pte), counts as found."""

    def __init__(self, columns: Columns, mm: Mm, pins: Callable[[], Counts], truth: Truth | None = None) -> None:
        super().__init__(columns, mm, truth)
        self._pins = pins

    @property
    def pins(self) -> Counts:
        """FOLL_PINs on the page, anybody's, int32: what an exact counter beside the refcount would say."""
        return read_only(self._pins())


class GupPages(PageView):
    """Present pages that pin or get wants for reading (follow_page_pte), zero page included.

    pin: FOLL_PIN, else FOLL_GET. longterm: FOLL_LONGTERM. zero_page: the entry maps the zero page.
    """

    def __init__(
        self, columns: Columns, mm: Mm, pin: bool, longterm: bool, zero_page: Mask, truth: Truth | None = None
    ) -> None:
        super().__init__(columns, mm, truth)
        self.pin = pin
        self.longterm = longterm
        self.zero_page: Mask = read_only(zero_page)
