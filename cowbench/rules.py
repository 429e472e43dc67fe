"""The rules of Linux's past, as vector steps over a view; policies are put together from these.

Eras in brackets: E0 up to 5.7, E1 5.8, E2 5.9 to 5.17, E3 5.18, E4 and later from 5.19.
"""

from __future__ import annotations

import numpy as np

from cowbench.views import Counts, GupPages, Mask, PageView, SwapIn, WriteFault

GUP_PIN_COUNTING_BIAS = 1024
"""What one FOLL_PIN adds to the refcount of an order-0 page (include/linux/mm.h)."""


def maybe_pinned(pages: PageView, extra: int = 0) -> Mask:
    """page_maybe_dma_pinned() with `extra` references taken by the caller."""
    return pages.refcount + extra >= GUP_PIN_COUNTING_BIAS


def unexplained(pages: PageView) -> Counts:
    """References that mappings, the swap cache and an LRU batch do not explain: FOLL_GETs, FOLL_PINs (1,024 each) and
    passing ones.
    """
    return pages.refcount - pages.mapcount - pages.in_swap_cache - ~pages.on_lru


def reuse_by_mapcount(fault: WriteFault) -> Mask:
    """E0, E1: reuse_swap_page() of 5.7: mappings and swap entries count, references do not."""
    return _sole_by_mapcount(fault)


def reuse_by_page_count(fault: WriteFault) -> Mask:
    """E2: do_wp_page() since 09854ba94c6a: any reference besides the mapping copies."""
    sole = fault.trylock(fault.refcount == 1)
    return sole & (fault.mapcount == 1)


def reuse_by_page_count_after_drain(fault: WriteFault) -> Mask:
    """E3: do_wp_page() of 5.18 (53a05ad9f21d, d4c470970d45): drain and free the swap cache, then count."""
    sole = fault.refcount <= 3
    fault.drain_local_batch(sole & ~fault.on_lru)
    sole &= fault.refcount <= 1 + fault.in_swap_cache
    sole = fault.trylock(sole)
    fault.free_swap_cache(sole)
    return sole & (fault.refcount == 1)


def reuse_exclusive(fault: WriteFault, *, close_bound: bool = False) -> Mask:
    """E4 and later: do_wp_page() since 6c287605fd56: an exclusive page is the writer's own, else as in 5.18.

    close_bound: a page that is not in the swap cache and has 3 references is copied without a drain; measured: 7.3.4
    does so, 7.0.13 not.
    """
    sole = ~fault.exclusive & (fault.refcount <= (2 + fault.in_swap_cache if close_bound else 3))
    fault.drain_local_batch(sole & ~fault.on_lru)
    sole &= fault.refcount <= 1 + fault.in_swap_cache
    sole = fault.trylock(sole)
    fault.free_swap_cache(sole)
    return fault.exclusive | (sole & (fault.refcount == 1))


def reuse_explained(fault: WriteFault) -> Mask:
    """Never shipped: one mapping or swap entry, and it, the swap cache and an LRU batch explain every reference."""
    return _sole_by_mapcount(fault, fault.trylock(unexplained(fault) == 0))


def swap_in_explained(fault: SwapIn) -> Mask:
    """Never shipped: as `reuse_explained`, the fault's own reference aside."""
    return _sole_by_mapcount(fault, unexplained(fault) == 1) if fault.write else np.zeros(len(fault), np.bool_)


def swap_in_by_mapcount(fault: SwapIn) -> Mask:
    """E0 to E2: do_swap_page() with reuse_swap_page(): a write may map writable, a read never does."""
    return _sole_by_mapcount(fault) if fault.write else np.zeros(len(fault), np.bool_)


def swap_in_by_page_count(fault: SwapIn) -> Mask:
    """E3: do_swap_page() of 5.18 (c145e0b47c77): the refcount decides, after freeing the swap cache."""
    if not fault.write:
        return np.zeros(len(fault), np.bool_)
    _free_likely_exclusive(fault)
    return fault.fresh | (fault.refcount == 1)


def swap_in_exclusive(fault: SwapIn, *, drains: bool = True, frees: bool = True) -> Mask:
    """E4 and later: the swap entry remembers exclusivity (1493a1913e34), on reads too.

    drains: a write drains the local batch before it counts; measured: 7.0.13 does, 7.3.4 leaves that to do_wp_page()
    and allows for one reference of a batch when it frees the swap cache. frees: a write frees the swap cache of a page
    that is likely its own; measured: 7.0.13 leaves it there, 6.19.14 and 7.3.4 do not.
    """
    own = remembered(fault)
    if fault.write:
        fault.drain_local_batch(fault.in_swap_cache & ~fault.on_lru & drains)
        batched = ~fault.on_lru & (not drains)
        fault.free_swap_cache((fault.refcount == 2 + batched) & frees)
    return own | (fault.refcount == 1)


def remembered(fault: SwapIn, *, waits: bool = False) -> Mask:
    """The swap entry's exclusive mark, or a page read past the swap cache.

    A page under writeback to a device that needs stable pages is not written to: the mark is given up, or the fault
    `waits` (no kernel does).
    """
    busy = fault.writeback & fault.stable_writes
    return (fault.exclusive | fault.fresh) & (waits | ~busy)


def unshare_shared(request: GupPages) -> Mask:
    """E4 and later: gup_must_unshare() for pins of anonymous pages that may be shared (a7f226604170)."""
    return request.pin & ~request.exclusive & ~request.zero_page


def _sole_by_mapcount(fault: WriteFault | SwapIn, at: Mask | None = None) -> Mask:
    sole = fault.mapcount + fault.swap_count <= 1
    if at is not None:
        sole &= at
    busy = sole & fault.in_swap_cache & fault.writeback & fault.stable_writes
    fault.free_swap_cache(sole)
    return sole & ~busy


def _free_likely_exclusive(fault: SwapIn) -> None:
    """should_try_to_free_swap() for a write: two references are the fault's and the swap cache's."""
    fault.drain_local_batch(fault.in_swap_cache & ~fault.on_lru)
    fault.free_swap_cache(fault.refcount == 2)
