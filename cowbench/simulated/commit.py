"""Applying a plan: page tables, frames, slots and LRU batches change, and the ledger says what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cowbench.ledger import FaultCounts
from cowbench.simulated.booking import book_copies, lose
from cowbench.simulated.frames import COUNT, IntArray, Selection, numbers
from cowbench.simulated.memory import Memory
from cowbench.simulated.plan import Access, Plan, PresentPart, SwapPart
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import CLEAN, EXCLUSIVE, PRESENT, TRACKED, WRITE, ZERO_PAGE


@dataclass(frozen=True)
class Task:
    """Who faults for what. site: of plain copies. token: stored by a write; None for pins, gets and reads."""

    process: ProcessState
    access: Access
    site: str
    token: int | None
    counts: FaultCounts


def commit(memory: Memory, task: Task, pages: IntArray, plan: Plan) -> None:
    """Apply the first `plan.valid` positions of a plan made for `pages`."""
    valid = plan.valid
    first, second = plan.first[:valid], plan.second[:valid]
    firsts, seconds = int(np.count_nonzero(first)), int(np.count_nonzero(second))
    used = memory.frames.used
    new = memory.frames.allocate(firsts + seconds, task.process.memcg) if firsts + seconds else slice(0, 0)
    for_page, for_copy = _hand_out(new, first, second, firsts, seconds)
    if len(plan.absent):
        _fill(memory, task, pages, plan.absent[plan.absent < valid], for_page)
    if plan.swap is not None:
        _swap_in(memory, task, pages, plan.swap, valid, for_page)
    idle = [_answer(memory, task, pages, part, valid, for_page, for_copy) for part in plan.present]
    event, flushed = _enter_batch(memory, task.process.cpu, plan, new)
    freed = [_release(memory, *found) for found in idle]
    _book_peak(memory, used, plan, event, flushed, freed)


def _enter_batch(memory: Memory, cpu: int, plan: Plan, new: Selection) -> tuple[int, int]:
    """Let the new frames enter the LRU batch in order; return the first flush, in half positions, and frames it freed."""
    first, second, drains = (mask[: plan.valid] for mask in (plan.first, plan.second, plan.drains))
    held = len(memory.batches.held[cpu])
    if not drains.any():
        flushed = memory.batches.enter(cpu, new)
        if not flushed:
            return 0, 0
        entered = held + np.cumsum(np.stack((first, second), axis=1).ravel())
        return int(np.searchsorted(entered, memory.batches.size)) + 1, flushed
    last = len(drains) - 1 - int(np.argmax(drains[::-1]))
    before = int(np.count_nonzero(first[: last + 1]) + np.count_nonzero(second[:last]))
    flushed = memory.batches.enter(cpu, new, drained_at=before)
    entered = held + np.cumsum(np.stack((first, second), axis=1).ravel())
    full = int(np.searchsorted(entered, memory.batches.size)) + 1
    return min(full, 2 * int(np.argmax(drains)) + 1), flushed


def _release(memory: Memory, at: IntArray, frames: IntArray) -> IntArray:
    """Free those frames that became idle; return their positions."""
    if not len(frames):
        return at
    columns = memory.frames
    idle = ((columns.map[frames] & COUNT) == 0) & (columns.extra[frames] == 0)
    columns.release(frames[idle])
    return at[idle]


def _book_peak(
    memory: Memory, used: int, plan: Plan, event: int, flushed: int, freed: list[IntArray]
) -> None:
    """Book the most frames in use at once: allocations and frees in order, two half positions a page."""
    allocated = np.stack((plan.first[: plan.valid], plan.second[: plan.valid]), axis=1).ravel()
    frames = memory.frames
    gone = sum(map(len, freed))
    if not gone and not flushed:
        frames.peak = max(frames.peak, frames.used)
        return
    free = np.zeros(len(allocated) + 2, np.int64)
    free[event] += flushed
    for at in freed:
        np.add.at(free, 2 * at + 2, 1)
    in_use = used + np.cumsum(allocated) - np.cumsum(free)[: len(allocated)]
    frames.peak = max(frames.peak, int(in_use.max(initial=used)))


FrameOf = Selection
"""For each position of a plan its new frame: a selection where every position has one, else an array with holes."""


def _hand_out(
    new: Selection, first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], firsts: int, seconds: int
) -> tuple[FrameOf, FrameOf]:
    """Hand the new frames out in order: at each position first the page's own, then its copy."""
    nothing: FrameOf = slice(0, 0)
    if firsts == len(first) and not seconds:
        return new, nothing
    if seconds == len(second) and not firsts:
        return nothing, new
    order = np.flatnonzero(np.stack((first, second), axis=1).ravel())
    spread = np.zeros(2 * len(first), np.uint32)
    spread[order] = numbers(new)
    return spread[0::2], spread[1::2]


def _pick(frames: FrameOf, at: IntArray) -> Selection:
    if isinstance(frames, slice):
        return frames if len(at) == frames.stop - frames.start else np.asarray(at + frames.start, dtype=np.uint32)
    return frames[at]


def _fill(
    memory: Memory, task: Task, pages: IntArray, at: IntArray, for_page: FrameOf
) -> None:
    """Give pages without memory, or with the zero page, a fresh zero-filled frame."""
    process, frames = task.process, memory.frames
    here = pages[at]
    new = _pick(for_page, at)
    zeros = int(np.count_nonzero(process.words[here] == ZERO_PAGE))
    frames.map[new] = 1
    frames.token[new] = task.token or 0
    process.words[here] = numbers(new) | _fresh_bits(memory, task)
    if process.own is not None:
        process.own[new] = 1
    if zeros:
        lose(memory, process, here)
    _mark(process, here, task)
    process.present += len(at)
    process.zero_pages -= zeros
    task.counts.zero_fill += len(at)


def _mark(process: ProcessState, pages: IntArray, task: Task) -> None:
    """Keep dirty and tracked: a write sets the one and ends the other, anything else leaves a clean entry."""
    if task.access == "write":
        if process.marks is not None:
            process.marks[pages] = 0
    else:
        process.side_marks()[pages] |= CLEAN


def _swap_in(
    memory: Memory,
    task: Task,
    pages: IntArray,
    part: SwapPart,
    valid: int,
    for_page: FrameOf,
) -> None:
    process, frames, slots = task.process, memory.frames, memory.slots
    k = int(np.searchsorted(part.at, valid))
    at, names, cached = part.at[:k], part.slots[:k], part.frames[:k]
    here = pages[at]
    read = np.flatnonzero(cached == 0)
    new = numbers(_pick(for_page, at[read]))
    cached[read] = new
    frames.token[new] = slots.content[names[read]]
    slots.count[names] -= 1
    through_cache = read[~part.fresh[read]]
    slots.cache(names[through_cache], cached[through_cache])
    frames.map[cached] += np.uint16(1)
    if process.own is not None:
        process.own[cached] = 1
    slots.release_unused(names[part.fresh[:k]])
    slots.uncache(cached[part.view.freed[:k]])
    own = part.own[:k]
    process.words[here] = cached.astype(np.uint32) | PRESENT | np.where(own, _rights(memory, task, here), 0)
    _mark(process, here, task)
    process.present += k
    process.swapped -= k
    task.counts.swap_in += k
    if task.token is not None:
        frames.token[cached[own]] = task.token


def _rights(memory: Memory, task: Task, pages: IntArray) -> npt.NDArray[np.uint32]:
    """Return the bits an entry gets whose page is the process's own."""
    exclusive = _exclusive(memory)
    writable = task.access == "write" or memory.flags.swapin_read_maps_writable
    rights = np.full(len(pages), exclusive | (WRITE if writable else np.uint32(0)), np.uint32)
    if task.access != "write" and writable and task.process.marks is not None:
        rights[(task.process.marks[pages] & TRACKED) != 0] = exclusive
    return rights


def _answer(
    memory: Memory,
    task: Task,
    pages: IntArray,
    part: PresentPart,
    valid: int,
    for_page: FrameOf,
    for_copy: FrameOf,
) -> tuple[IntArray, IntArray]:
    """Carry out reuse and copy on present pages; return positions and old frames that may have become idle."""
    k = int(np.searchsorted(part.at, valid))
    at, reuse, frames = part.at[:k], part.reuse[:k], part.frames[:k]
    if part.swapped:
        read = np.flatnonzero(frames == 0)
        frames[read] = numbers(_pick(for_page, at[read]))
    if not part.seen.settled:
        memory.slots.uncache(frames[part.view.freed[:k]])
    copies = k - int(np.count_nonzero(reuse))
    if copies < k:
        again = slice(0, k) if not copies else np.flatnonzero(reuse)
        _reuse(memory, task, pages[at[again]], part, again, frames[again])
    if not copies:
        return _NONE, _NONE
    which = slice(0, k) if copies == k else np.flatnonzero(~reuse)
    at, old = at[which], frames[which]
    _copy(memory, task, pages[at], part, which, old, _pick(for_copy, at))
    left = np.flatnonzero(part.seen.mapcount[which] == 1)
    if not len(left):
        return _NONE, _NONE
    if memory.flags.wp_copy_frees_idle_swapcache and not part.seen.settled:
        memory.slots.uncache(memory.slots.freeable(old[left]))
    return at[left], old[left]


_NONE: IntArray = np.zeros(0, np.intp)


def _reuse(
    memory: Memory, task: Task, pages: IntArray, part: PresentPart, which: Selection, frames: IntArray
) -> None:
    """Leave pages where they are: writable, or for an unshare fault just exclusive."""
    if task.access == "unshare":
        task.process.words[pages] |= _exclusive(memory)
        task.counts.unshare_reuse += len(pages)
        return
    task.process.words[pages] |= WRITE | _exclusive(memory)
    _mark(task.process, pages, task)
    task.counts.reuse += len(pages)
    memory.ledger.reuses += len(pages)
    if task.token is not None:
        memory.frames.token[frames] = task.token
    if part.shared[which].any():
        memory.tainted = True


def _copy(
    memory: Memory,
    task: Task,
    pages: IntArray,
    part: PresentPart,
    which: Selection,
    old: IntArray,
    new: Selection,
) -> None:
    """Give pages a copy of their frame."""
    process, frames = task.process, memory.frames
    site = "swap_in" if part.swapped and task.site != "pin" else task.site
    book_copies(memory, process, site, pages, old, part, which)
    frames.map[old] -= np.uint16(1)
    frames.map[new] = 1
    frames.token[new] = frames.token[old] if task.token is None else task.token
    if process.own is not None:
        process.own[old] = 0
        process.own[new] = 1
    process.words[pages] = numbers(new) | _fresh_bits(memory, task)
    _mark(process, pages, task)
    task.counts.copy += len(pages)


def _exclusive(memory: Memory) -> np.uint32:
    return EXCLUSIVE if memory.flags.anon_exclusive else np.uint32(0)


def _fresh_bits(memory: Memory, task: Task) -> np.uint32:
    """Return the bits of an entry that maps a frame of the process's own."""
    write = WRITE if task.access == "write" else np.uint32(0)
    return np.uint32(PRESENT | write | _exclusive(memory))
