"""Made-up views: pages in every state that a policy may meet, consistent as the engine would make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator

from cowbench.rules import GUP_PIN_COUNTING_BIAS
from cowbench.views import Columns, ForkPages, GupPages, Mm, PageView, SwapIn, Truth, WriteFault


def columns(rng: Generator, pages: int) -> Columns:
    """Return pages in random states whose refcount is the sum of its parts."""
    mapcount = rng.integers(1, 4, pages).astype(np.int32)
    in_swap_cache = rng.random(pages) < 0.3
    local = rng.random(pages) < 0.3
    remote = ~local & (rng.random(pages) < 0.1)
    gets, pins = rng.integers(0, 2, pages), rng.integers(0, 2, pages) * (rng.random(pages) < 0.2)
    refcount = mapcount + in_swap_cache + local + remote + gets + 1024 * pins
    return Columns(
        refcount=refcount.astype(np.int32),
        mapcount=mapcount,
        swap_count=(rng.integers(0, 3, pages) * in_swap_cache).astype(np.int32),
        exclusive=(rng.random(pages) < 0.4) & (mapcount == 1),
        in_swap_cache=in_swap_cache,
        writeback=in_swap_cache & (rng.random(pages) < 0.3),
        locked=rng.random(pages) < 0.1,
        on_lru=~(local | remote),
        local=local,
        entering=np.zeros(pages, np.bool_),
    )


def truth(rng: Generator, pages: int) -> Truth:
    """Return a random truth, for a policy that asks for it."""
    return Truth(rng.random(pages) < 0.5, rng.random(pages) < 0.5)


def some(batch: Columns, at: slice) -> Columns:
    """Return copies of the columns of some pages."""
    names = [field.name for field in dataclasses.fields(Columns) if field.name != "settled"]
    return Columns(**{name: getattr(batch, name)[at].copy() for name in names})


def some_truth(known: Truth | None, at: slice) -> Truth | None:
    """Return the truth about some pages."""
    return known and Truth(known.observed[at], known.coherent[at])


@dataclass(frozen=True)
class Question:
    """A method of a policy, and how to make the view that it is asked about from columns and truth."""

    method: str
    make: Callable[[Columns, Truth | None], PageView]


def questions() -> list[Question]:
    """Return every question that a policy may be asked about a batch of pages."""
    flags = (False, True)
    return [
        *(Question("reuse", partial(_write_fault, unshare)) for unshare in flags),
        *(Question("swap_in", partial(_swap_in, write, stable)) for write in flags for stable in flags),
        *(Question("copy_early", partial(_fork_pages, pinned)) for pinned in flags),
        *(Question("unshare", partial(_gup_pages, pin, longterm)) for pin in flags for longterm in {False, pin}),
    ]


def _write_fault(unshare: bool, batch: Columns, known: Truth | None) -> PageView:
    return WriteFault(batch, Mm(), False, unshare, known)


def _swap_in(write: bool, stable: bool, batch: Columns, known: Truth | None) -> PageView:
    # One mapping of the made-up pages becomes the fault's own reference, and its swap entry is counted.
    batch = dataclasses.replace(
        batch, mapcount=batch.mapcount - 1, swap_count=batch.swap_count + batch.in_swap_cache.astype(np.int32)
    )
    fresh = ~batch.in_swap_cache & (batch.refcount == 1)
    return SwapIn(batch, Mm(), stable, write, fresh, known)


def _fork_pages(pinned: bool, batch: Columns, known: Truth | None) -> PageView:
    return ForkPages(batch, Mm(pinned, 3 * pinned), lambda: batch.refcount // GUP_PIN_COUNTING_BIAS, known)


def _gup_pages(pin: bool, longterm: bool, batch: Columns, known: Truth | None) -> PageView:
    zero_page = ~batch.in_swap_cache & (batch.mapcount == 3)
    return GupPages(batch, Mm(pin, int(pin)), pin, longterm, zero_page, known)
