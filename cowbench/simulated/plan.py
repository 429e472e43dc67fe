"""Deciding a batch of faults: what the policy answers, as if the pages were done one by one.

A plan covers the pending pages in order and says for how many of them (`valid`) its answers hold: up to the first event
that changes what later pages would see (an LRU batch that flushes while it holds one of them), or to the first page without
a frame. The engine applies that prefix and plans again for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cowbench.simulated.frames import IntArray
from cowbench.simulated.memory import Memory, ask, look, observed, truth
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import EXCLUSIVE, NUMBER, PRESENT
from cowbench.views import Columns, Mask, SwapIn, WriteFault

Access = Literal["read", "write", "unshare"]


@dataclass
class SwapPart:
    """Pages with a swap entry. at: positions. frames: cached frame or 0. fresh: will be read outside the swap cache."""

    at: IntArray
    slots: IntArray
    frames: IntArray
    fresh: Mask
    view: SwapIn
    own: Mask
    seen: Columns


@dataclass
class PresentPart:
    """Present read-only pages. frames: 0 where the frame is yet to be read in. swapped: these come from `SwapPart`."""

    at: IntArray
    frames: IntArray
    view: WriteFault
    seen: Columns
    reuse: Mask
    shared: Mask
    swapped: bool


@dataclass
class Plan:
    """The faults of n pages in order.

    absent: positions of none and zero-page entries that get a fresh frame. first, second: a frame is allocated at this position
    for the page itself (fresh or read in), and for its copy. drains: the local batch is drained between the two.
    valid: how many positions may be applied; 0 if the first page finds no frame.
    """

    size: int
    absent: IntArray
    swap: SwapPart | None
    present: list[PresentPart]
    first: Mask
    second: Mask
    drains: Mask
    valid: int


def plan_faults(memory: Memory, process: ProcessState, words: npt.NDArray[np.uint32], access: Access) -> Plan:
    """Decide the faults that `access` takes on pages with these entries (none of them satisfied as it is)."""
    size = len(words)
    present = (words & PRESENT) != 0
    swapped = ~present & (words != 0)
    anonymous = present & ((words & NUMBER) != 0)
    if swapped.any():
        size = _leading_run(memory, process, words, swapped, anonymous)
        words, swapped, anonymous = words[:size], swapped[:size], anonymous[:size]
    plan = Plan(size, _EMPTY, None, [], *(np.zeros(size, np.bool_) for _ in range(3)), size)
    if access != "read":
        plan.absent = np.flatnonzero(~(swapped | anonymous))
        plan.first[plan.absent] = True
    if swapped.any():
        _plan_swap(memory, process, words, np.flatnonzero(swapped), access, plan)
    if access != "read" and anonymous.any():
        _plan_present(memory, process, words, np.flatnonzero(anonymous), access, plan)
    plan.valid = min(_until_flush(memory, process, plan), _until_shortage(memory, process, plan))
    return plan


_EMPTY: IntArray = np.empty(0, np.intp)


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
    fresh = ~cached & (counts == 1) if bypass else np.zeros(len(at), np.bool_)
    seen = look(memory, process.cpu, frames, (words[at] & EXCLUSIVE) != 0)
    seen = _just_read(seen, cached, fresh, counts)
    others = observed(memory, process, frames, seen, mapped=0, swapped=1)
    view = SwapIn(
        seen, process.space.mm, memory.config.stable_writes, access == "write", fresh, truth(memory, others)
    )
    own = ask(memory.policy.swap_in, view)
    plan.swap = SwapPart(at, slots, frames, fresh, view, own, seen)
    plan.first[at[~cached]] = True
    plan.drains[at[view.drains]] = True
    if own.any() and (others & own).any() and (access == "write" or memory.flags.swapin_read_maps_writable):
        memory.tainted = True
    if access == "write" and not own.all():
        _plan_denied(memory, process, np.flatnonzero(~own), access, plan)


def _just_read(seen: Columns, cached: Mask, fresh: Mask, counts: npt.NDArray[np.int32]) -> Columns:
    """Return columns at swap-in: frames yet to be read in are in the local batch, the fault holds a reference.

    Such a frame is shown with its batch reference even where it is the one that fills the batch; no rule could tell.
    """
    read = ~cached
    in_swap_cache = np.where(cached, seen.in_swap_cache, ~fresh)
    return Columns(
        refcount=np.where(cached, seen.refcount, 1 + in_swap_cache.astype(np.int32)).astype(np.int32) + np.int32(1),
        mapcount=np.where(cached, seen.mapcount, 0).astype(np.int32),
        swap_count=np.where(fresh, 0, counts).astype(np.int32),
        exclusive=seen.exclusive,
        in_swap_cache=in_swap_cache,
        writeback=seen.writeback & cached,
        locked=seen.locked & cached,
        on_lru=seen.on_lru & cached,
        local=(seen.local & cached) | read,
        entering=read,
    )


def _plan_denied(memory: Memory, process: ProcessState, which: IntArray, access: Access, plan: Plan) -> None:
    """Swap-ins whose page is not the process's own are mapped read-only and take the write-fault rule at once."""
    swap = plan.swap
    assert swap is not None
    before = swap.seen
    seen = Columns(
        **{name: getattr(before, name)[which].copy() for name in _COLUMNS},
    )
    seen.mapcount += 1
    seen.swap_count -= seen.in_swap_cache
    seen.exclusive = np.zeros(len(which), np.bool_)
    _ask_present(memory, process, swap.at[which], swap.frames[which], seen, access, plan, swapped=True)


_COLUMNS = (
    "refcount",
    "mapcount",
    "swap_count",
    "exclusive",
    "in_swap_cache",
    "writeback",
    "locked",
    "on_lru",
    "local",
    "entering",
)


def _plan_present(
    memory: Memory, process: ProcessState, words: npt.NDArray[np.uint32], at: IntArray, access: Access, plan: Plan
) -> None:
    here = words if len(at) == len(words) else words[at]
    frames = (here & NUMBER).astype(np.intp)
    seen = look(memory, process.cpu, frames, (here & EXCLUSIVE) != 0)
    _ask_present(memory, process, at, frames, seen, access, plan, swapped=False)


def _ask_present(
    memory: Memory,
    process: ProcessState,
    at: IntArray,
    frames: IntArray,
    seen: Columns,
    access: Access,
    plan: Plan,
    *,
    swapped: bool,
) -> None:
    shared = observed(memory, process, frames, seen)
    view = WriteFault(
        seen, process.space.mm, memory.config.stable_writes, access == "unshare", truth(memory, shared)
    )
    reuse = ask(memory.policy.reuse, view)
    plan.present.append(PresentPart(at, frames, view, seen, reuse, shared, swapped))
    plan.second[at] = ~reuse
    plan.drains[at] |= view.drains


def _until_flush(memory: Memory, process: ProcessState, plan: Plan) -> int:
    """Return the first position whose page waits in the local batch when that is flushed by an earlier page."""
    held = memory.batches.held[process.cpu]
    if not len(held):
        return plan.size
    waiting = _positions_in(held, plan)
    if not len(waiting):
        return plan.size
    entered = len(held) + np.cumsum(plan.first.astype(np.int32) + plan.second)
    flush = int(np.searchsorted(entered, memory.batches.size))
    drain = int(np.argmax(plan.drains)) if plan.drains.any() else plan.size
    if flush < drain:
        later = waiting[waiting > flush]
    else:
        later = waiting[(waiting > drain) & np.isin(waiting, _unaware(plan))]
    return int(later[0]) if len(later) else plan.size


def _positions_in(held: IntArray, plan: Plan) -> IntArray:
    found = [part.at[np.isin(part.frames, held)] for part in plan.present if not part.seen.settled and not part.swapped]
    if plan.swap is not None:
        found.append(plan.swap.at[np.isin(plan.swap.frames, held)])
    return np.sort(np.concatenate(found)) if found else _EMPTY


def _unaware(plan: Plan) -> IntArray:
    """Positions shown to the policy as waiting in the local batch to the end."""
    parts = [part.at[part.seen.local] for part in plan.present if not part.seen.settled and not part.swapped]
    if plan.swap is not None:
        parts.append(plan.swap.at[plan.swap.seen.local])
    return np.concatenate(parts) if parts else _EMPTY


def _until_shortage(memory: Memory, process: ProcessState, plan: Plan) -> int:
    room = memory.frames.room(process.memcg)
    if room >= 2 * plan.size:
        return plan.size
    needed = np.cumsum(plan.first.astype(np.int32) + plan.second)
    return int(np.searchsorted(needed, room, side="right"))
