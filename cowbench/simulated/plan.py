"""Deciding a batch of faults: what the policy answers, as if the pages were done one by one.

A plan covers pending pages in order and says for how many of them (`valid`) its answers hold: up to the first event
that changes what later pages would see (an LRU batch that flushes while it holds one of them), or to the first page
without a frame. The engine applies that prefix and plans again for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from cowbench.simulated.frames import IntArray
from cowbench.simulated.memory import Memory, ask, look, observed, truth
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import EXCLUSIVE, NUMBER, PRESENT
from cowbench.views import Columns, Mask, SwapIn, WriteFault, nowhere

Access = Literal["read", "write", "unshare"]
_EMPTY: IntArray = np.empty(0, np.intp)


@dataclass
class SwapPart:
    """Pages with a swap entry. at: positions. frames: cached frame or 0. fresh: will be read outside the swap cache.

    waiting: positions whose frame is in the local LRU batch already.
    """

    at: IntArray
    slots: IntArray
    frames: IntArray
    fresh: Mask
    view: SwapIn
    own: Mask
    seen: Columns
    waiting: IntArray


@dataclass
class PresentPart:
    """Present read-only pages. at: positions, or None for all. frames: 0 where the frame is yet to be read in.

    swapped: the pages come from `SwapPart`. shared: somebody else observes the frame. waiting: positions in the local
    LRU batch already.
    """

    at: IntArray | None
    frames: IntArray
    swapped: bool
    view: WriteFault
    seen: Columns
    reuse: Mask
    shared: Mask
    waiting: IntArray


@dataclass
class Plan:
    """The faults of n pages in order.

    absent: positions of none and zero-page entries that get a fresh frame. first, second: a frame is allocated at
    this position for the page itself (fresh or read in), and for its copy. drains: the local batch is drained between.
    valid: how many positions may be applied; 0 if the first page finds no frame.
    """

    size: int
    first: Mask
    second: Mask
    drains: Mask
    absent: IntArray = field(default_factory=lambda: _EMPTY)
    swap: SwapPart | None = None
    present: list[PresentPart] = field(default_factory=list)
    valid: int = 0


def plan_faults(memory: Memory, process: ProcessState, words: npt.NDArray[np.uint32], access: Access) -> Plan:
    """Decide the faults that `access` takes on pages with these entries (none of them satisfied as it is)."""
    none = nowhere(len(words))
    plan = Plan(len(words), none, none, none)
    if access != "read" and all_present(process, words):
        _plan_present(memory, process, words, None, access, plan)
    else:
        _plan_kinds(memory, process, words, access, plan)
    plan.valid = min(_until_flush(memory, process, plan), _until_shortage(memory, process, plan))
    return plan


def all_present(process: ProcessState, words: npt.NDArray[np.uint32]) -> bool:
    """Return whether every entry maps a page other than the zero page."""
    if not np.bitwise_and.reduce(words) & PRESENT:
        return False
    return not process.zero_pages or bool((words & NUMBER).min())


def _plan_kinds(
    memory: Memory, process: ProcessState, words: npt.NDArray[np.uint32], access: Access, plan: Plan
) -> None:
    present = (words & PRESENT) != 0
    swapped = ~present & (words != 0)
    anonymous = present & ((words & NUMBER) != 0)
    any_swapped = bool(swapped.any())
    if any_swapped:
        size = _leading_run(memory, process, words, swapped, anonymous)
        words, swapped, anonymous = words[:size], swapped[:size], anonymous[:size]
        any_swapped = bool(swapped.any())
        none = nowhere(size)
        plan.size, plan.first, plan.second, plan.drains = size, none, none, none
    if access != "read":
        plan.first = ~(swapped | anonymous)
        plan.absent = np.flatnonzero(plan.first)
    if any_swapped:
        _plan_swap(memory, process, words, np.flatnonzero(swapped), access, plan)
    if access != "read" and anonymous.any():
        _plan_present(memory, process, words, np.flatnonzero(anonymous), access, plan)


def _leading_run(
    memory: Memory, process: ProcessState, words: npt.NDArray[np.uint32], swapped: Mask, anonymous: Mask
) -> int:
    """Return how many pages to plan at once: up to the first change of kind if the local LRU batch holds one of them.

    Swapped and present pages are shown to the policy in two views; a drain in one must be seen by the other.
    """
    held = memory.batches.held[process.cpu]
    change = np.flatnonzero(swapped[1:] != swapped[:-1])
    if not len(held) or not len(change):
        return len(words)
    numbers = np.where(anonymous, words & NUMBER, 0)
    numbers[swapped] = memory.slots.frame[words[swapped] & NUMBER]
    return int(change[0]) + 1 if np.isin(numbers, held).any() else len(words)


def _plan_swap(
    memory: Memory, process: ProcessState, words: npt.NDArray[np.uint32], at: IntArray, access: Access, plan: Plan
) -> None:
    slots = words[at] & NUMBER
    frames = memory.slots.frame[slots].astype(np.intp)
    cached = frames != 0
    counts = memory.slots.count[slots]
    bypass = memory.config.swap == "synchronous" and memory.flags.sync_swap_bypass
    fresh = ~cached & (counts == 1) if bypass else nowhere(len(at))
    found = look(memory, process.cpu, frames, (words[at] & EXCLUSIVE) != 0)
    waiting = at[np.flatnonzero(found.local)]
    seen = _at_swap_in(found, cached, fresh, counts)
    others = observed(memory, process, frames, seen, mapped=0, swapped=1)
    view = SwapIn(seen, process.space.mm, memory.config.stable_writes, access == "write", fresh, truth(memory, others))
    own = ask(memory.policy.swap_in, view)
    plan.swap = SwapPart(at, slots, frames, fresh, view, own, seen, waiting)
    plan.first = _with(plan.first, at, ~cached)
    plan.drains = _with(plan.drains, at, view.drains)
    if (others & own).any() and (access == "write" or memory.flags.swapin_read_maps_writable):
        memory.tainted = True
    if access == "write" and not own.all():
        _plan_denied(memory, process, np.flatnonzero(~own), access, plan)


def _with(mask: Mask, at: IntArray | None, values: Mask) -> Mask:
    """Return `mask` with `values` added at `at` (everywhere if None)."""
    if at is None:
        return values
    changed = mask.copy()
    changed[at] |= values
    return changed


def _at_swap_in(found: Columns, cached: Mask, fresh: Mask, counts: npt.NDArray[np.int32]) -> Columns:
    """Return columns at swap-in: frames yet to be read in are in the local batch, the fault holds a reference.

    Such a frame is shown with its batch reference even where it is the one that fills the batch; no rule could tell.
    """
    in_swap_cache = np.where(cached, found.in_swap_cache, ~fresh)
    read = ~cached
    return Columns(
        refcount=np.where(cached, found.refcount, np.int32(1) + in_swap_cache) + np.int32(1),
        mapcount=np.where(cached, found.mapcount, np.int32(0)),
        swap_count=np.where(fresh, np.int32(0), counts),
        exclusive=found.exclusive,
        in_swap_cache=in_swap_cache,
        writeback=found.writeback & cached,
        locked=found.locked & cached,
        on_lru=found.on_lru & cached,
        local=(found.local & cached) | read,
        entering=read,
    )


def _plan_denied(memory: Memory, process: ProcessState, which: IntArray, access: Access, plan: Plan) -> None:
    """Swap-ins whose page is not the process's own are mapped read-only and take the write-fault rule at once."""
    swap = plan.swap
    assert swap is not None
    before = swap.seen
    seen = Columns(
        refcount=before.refcount[which],
        mapcount=before.mapcount[which] + np.int32(1),
        swap_count=before.swap_count[which] - before.in_swap_cache[which],
        exclusive=nowhere(len(which)),
        in_swap_cache=before.in_swap_cache[which],
        writeback=before.writeback[which],
        locked=before.locked[which],
        on_lru=before.on_lru[which],
        local=before.local[which],
        entering=before.entering[which],
    )
    _ask_present(memory, process, swap.at[which], swap.frames[which], True, seen, access, plan)


def _plan_present(
    memory: Memory,
    process: ProcessState,
    words: npt.NDArray[np.uint32],
    at: IntArray | None,
    access: Access,
    plan: Plan,
) -> None:
    here = words if at is None else words[at]
    frames = (here & NUMBER).astype(np.intp)
    exclusive = (here & EXCLUSIVE) != 0 if memory.flags.anon_exclusive else nowhere(len(here))
    _ask_present(memory, process, at, frames, False, look(memory, process.cpu, frames, exclusive), access, plan)


def _ask_present(
    memory: Memory,
    process: ProcessState,
    at: IntArray | None,
    frames: IntArray,
    swapped: bool,
    seen: Columns,
    access: Access,
    plan: Plan,
) -> None:
    shared = observed(memory, process, frames, seen)
    waiting = _EMPTY
    if not swapped and not seen.settled:
        waiting = np.flatnonzero(seen.local) if at is None else at[np.flatnonzero(seen.local)]
    view = WriteFault(seen, process.space.mm, memory.config.stable_writes, access == "unshare", truth(memory, shared))
    reuse = ask(memory.policy.reuse, view)
    plan.present.append(PresentPart(at, frames, swapped, view, seen, reuse, shared, waiting))
    plan.second = _with(plan.second, at, ~reuse)
    if view.drains.any():
        plan.drains = _with(plan.drains, at, view.drains)


def _until_flush(memory: Memory, process: ProcessState, plan: Plan) -> int:
    """Return the first position whose page waits in the local batch when that is flushed by an earlier page."""
    parts: list[SwapPart | PresentPart] = [*plan.present, *([plan.swap] if plan.swap else [])]
    found = [part.waiting for part in parts if len(part.waiting)]
    if not found:
        return plan.size
    waiting = np.sort(np.concatenate(found))
    entered = len(memory.batches.held[process.cpu]) + np.cumsum(plan.first.astype(np.int32) + plan.second)
    flush = int(np.searchsorted(entered, memory.batches.size))
    drain = int(np.argmax(plan.drains)) if plan.drains.any() else plan.size
    if flush < drain:
        later = waiting[waiting > flush]
    else:
        unaware = [part.waiting[_still_local(part)] for part in parts if len(part.waiting)]
        later = np.sort(np.concatenate(unaware))
        later = later[later > drain]
    return int(later[0]) if len(later) else plan.size


def _still_local(part: SwapPart | PresentPart) -> Mask:
    """Return which waiting pages of a part were shown to the policy as waiting to the end."""
    at = part.waiting if part.at is None else np.searchsorted(part.at, part.waiting)
    return part.seen.local[at]


def _until_shortage(memory: Memory, process: ProcessState, plan: Plan) -> int:
    room = memory.frames.room(process.memcg)
    if room >= 2 * plan.size:
        return plan.size
    needed = np.cumsum(plan.first.astype(np.int32) + plan.second)
    return int(np.searchsorted(needed, room, side="right"))
