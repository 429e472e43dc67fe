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
from cowbench.views import Mask


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
    left = [_answer(memory, task, pages, part, valid, for_page, for_copy) for part in plan.present]
    freed = [_release(memory, old) for old, _ in left]
    flush, flushed = _enter_batch(memory, task.process.cpu, plan, new)
    freed += [_release(memory, read) for _, read in left]
    if len(flushed):
        freed.append(_when_flushed(flush, flushed, left))
    _book_peak(memory, used, first, second, freed)


Times = IntArray
"""When something happens, in half positions: at position i a page gets its own frame at 2 i, its copy at 2 i + 1, and leaves
its old frame at 2 i + 2."""


def _enter_batch(memory: Memory, cpu: int, plan: Plan, new: Selection) -> tuple[int, IntArray]:
    """Let the new frames enter the LRU batch in order; return when it flushed first, and the frames which that freed."""
    first, second, drains = (mask[: plan.valid] for mask in (plan.first, plan.second, plan.drains))
    held, drained_at, drain = len(memory.batches.held[cpu]), None, 2 * plan.valid
    if drains.any():
        last = len(drains) - 1 - int(np.argmax(drains[::-1]))
        drained_at = int(np.count_nonzero(first[: last + 1]) + np.count_nonzero(second[:last]))
        drain = 2 * int(np.argmax(drains)) + 1
    flushed = memory.batches.enter(cpu, new, drained_at)
    if not len(flushed):
        return 0, flushed
    entered = held + np.cumsum(_in_order(first, second))
    return min(drain, int(np.searchsorted(entered, memory.batches.size)) + 1), flushed


def _in_order(first: Mask, second: Mask) -> Mask:
    return np.stack((first, second), axis=1).ravel()


def _release(memory: Memory, left: Left) -> Times:
    """Free those frames that became idle when a page left them; return when."""
    at, numbers = left
    if not len(numbers):
        return at
    frames = memory.frames
    idle = ((frames.map[numbers] & COUNT) == 0) & (frames.extra[numbers] == 0)
    frames.release(numbers[idle])
    return 2 * at[idle] + 2


def _when_flushed(flush: int, flushed: IntArray, left: list[tuple[Left, Left]]) -> Times:
    """Return when flushed frames became free: at the flush, or when their page left them if that came later."""
    times = np.full(len(flushed), flush)
    for (at, frames), _ in left:
        for position, frame in zip(at[np.isin(frames, flushed)], frames[np.isin(frames, flushed)], strict=True):
            times[flushed == frame] = max(flush, 2 * int(position) + 2)
    return times


def _book_peak(memory: Memory, used: int, first: Mask, second: Mask, freed: list[Times]) -> None:
    """Book the most frames in use at once."""
    frames = memory.frames
    if not any(map(len, freed)):
        frames.peak = max(frames.peak, frames.used)
        return
    allocated = _in_order(first, second)
    free = np.zeros(len(allocated) + 1, np.int64)
    for times in freed:
        np.add.at(free, times, 1)
    in_use = used + np.cumsum(allocated) - np.cumsum(free)[:-1]
    frames.peak = max(frames.peak, int(in_use.max(initial=used)))


FrameOf = Selection
"""For each position of a plan its new frame: a selection where every position has one, else an array with holes."""


def _hand_out(
    new: Selection, first: Mask, second: Mask, firsts: int, seconds: int
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
) -> tuple[Left, Left]:
    """Carry out reuse and copy on present pages; return frames left behind that may be idle: old ones, just read ones.

    The latter enter the LRU batch first, so they can be judged only after that; the former may be flushed from it.
    """
    k = int(np.searchsorted(part.at, valid))
    at, reuse, frames = part.at[:k], part.reuse[:k], part.frames[:k]
    read = frames == 0
    if part.swapped:
        frames[read] = numbers(_pick(for_page, at[read]))
    if not part.seen.settled:
        memory.slots.uncache(frames[part.view.freed[:k]])
    copies = k - int(np.count_nonzero(reuse))
    if copies < k:
        again = slice(0, k) if not copies else np.flatnonzero(reuse)
        _reuse(memory, task, pages[at[again]], part, again, frames[again])
    if not copies:
        return _NOTHING_LEFT, _NOTHING_LEFT
    which = slice(0, k) if copies == k else np.flatnonzero(~reuse)
    at, old = at[which], frames[which]
    _copy(memory, task, pages[at], part, which, old, _pick(for_copy, at))
    left = np.flatnonzero(part.seen.mapcount[which] == 1)
    if not len(left):
        return _NOTHING_LEFT, _NOTHING_LEFT
    if memory.flags.wp_copy_frees_idle_swapcache and not part.seen.settled:
        memory.slots.uncache(memory.slots.freeable(old[left]))
    late = read[which][left]
    return (at[left[~late]], old[left[~late]]), (at[left[late]], old[left[late]])


Left = tuple[IntArray, IntArray]
"""Positions and frames."""
_NOTHING_LEFT: Left = (np.zeros(0, np.intp), np.zeros(0, np.intp))


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
