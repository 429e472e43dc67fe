"""Applying a plan: page tables, frames, slots and LRU batches change, and the ledger says what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cowbench.ledger import FaultCounts
from cowbench.machine import Pages
from cowbench.simulated.booking import book_copies, lose, tell
from cowbench.simulated.frames import IntArray, Selection, leading, numbers, picked
from cowbench.simulated.memory import Memory
from cowbench.simulated.peak import Left, book_peak, enter_batch, release_left, when_flushed
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


@dataclass(frozen=True)
class NewFrames:
    """The frames a plan allocated, in order.

    for_page, for_copy: by position; or in order, if `in_order`, because only one kind of page takes any.
    """

    all: Selection
    for_page: Selection
    for_copy: Selection
    in_order: bool = False

    def pages(self, at: IntArray) -> Selection:
        """Return the frames that the pages at positions `at` are given themselves."""
        return leading(self.for_page, len(at)) if self.in_order else picked(self.for_page, at)

    def copies(self, at: IntArray | None, count: int) -> Selection:
        """Return the frames for copies at positions `at` (None: the first `count`)."""
        if self.in_order or at is None:
            return leading(self.for_copy, count)
        return picked(self.for_copy, at)


def commit(memory: Memory, task: Task, pages: Pages, plan: Plan) -> None:
    """Apply the first `plan.valid` positions of a plan made for `pages`."""
    valid = plan.valid
    first, second = plan.first[:valid], plan.second[:valid]
    firsts, seconds = int(np.count_nonzero(first)), int(np.count_nonzero(second))
    used = memory.frames.used
    new = _allocate(memory, task, plan, firsts, seconds)
    if len(plan.absent):
        _fill(memory, task, pages, plan.absent[: int(np.searchsorted(plan.absent, valid))], new)
    if plan.swap is not None:
        _swap_in(memory, task, pages, plan.swap, valid, new)
    left = [_answer(memory, task, pages, part, valid, new) for part in plan.present]
    freed = [release_left(memory, old) for old, _ in left]
    flush, flushed = enter_batch(memory, task.process.cpu, first, second, plan.drains[:valid], new.all)
    if plan.swap is not None:  # just read pages may be left, or looked at again, within this operation
        memory.batches.mark(task.process.cpu)
    freed += [release_left(memory, read) for _, read in left]
    if len(flushed):
        freed.append(when_flushed(flush, flushed, [old for old, _ in left]))
    book_peak(memory, used, first, second, freed)


def _allocate(memory: Memory, task: Task, plan: Plan, firsts: int, seconds: int) -> NewFrames:
    """Take frames in order: at each position first the page's own, then its copy."""
    if not firsts + seconds:
        return NewFrames(_NO_FRAMES, _NO_FRAMES, _NO_FRAMES)
    new = memory.frames.allocate(firsts + seconds, task.process.memcg, task.process.own)
    one_kind = not (plan.swap and len(plan.absent)) and not any(part.swapped for part in plan.present)
    if not seconds and one_kind:
        return NewFrames(new, new, _NO_FRAMES, in_order=True)
    if not firsts and len(plan.present) == 1:
        return NewFrames(new, _NO_FRAMES, new, in_order=True)
    spread = np.zeros(2 * plan.valid, np.intp)
    order = np.stack((plan.first[: plan.valid], plan.second[: plan.valid]), axis=1).ravel()
    spread[np.flatnonzero(order)] = numbers(new)
    return NewFrames(new, spread[0::2], spread[1::2])


_NO_FRAMES: Selection = slice(0, 0)


def place(pages: Pages, at: IntArray | None, count: int) -> slice | IntArray:
    """Return which entries of a page table the positions `at` (None: the first `count`) of a batch are."""
    if isinstance(pages, range):
        return slice(pages.start, pages.start + count) if at is None else at + pages.start
    return pages[:count] if at is None else pages.take(at)


def _fill(memory: Memory, task: Task, pages: Pages, at: IntArray, new: NewFrames) -> None:
    """Give pages without memory, or with the zero page, a fresh zero-filled frame."""
    process, frames = task.process, memory.frames
    here = place(pages, at if len(at) < len(pages) else None, len(at))
    mine = new.pages(at)
    zeros = int(np.count_nonzero(process.words[here] == ZERO_PAGE)) if process.zero_pages else 0
    frames.token[mine] = task.token or 0
    process.words[here] = entries_of(mine, _fresh_bits(memory, task))
    if zeros and process.leading is not None:
        lose(memory, process, page_numbers(pages, at, len(at)))
    _mark(process, here, task)
    process.present += len(at)
    process.zero_pages -= zeros
    task.counts.zero_fill += len(at)


def _mark(process: ProcessState, here: slice | IntArray, task: Task) -> None:
    """Keep dirty and tracked: a write sets the one and ends the other, anything else leaves a clean entry."""
    if task.access != "write":
        process.side_marks()[here] |= CLEAN
    elif process.marks is not None:
        process.marks[here] = 0


def _swap_in(memory: Memory, task: Task, pages: Pages, part: SwapPart, valid: int, new: NewFrames) -> None:
    """Bring pages back: out of the swap cache, or read into a new frame."""
    process, frames, slots = task.process, memory.frames, memory.slots
    k = int(np.searchsorted(part.at, valid))
    at, names, cached = part.at[:k], part.slots[:k], part.frames[:k].copy()
    here = place(pages, at, k)
    read = np.flatnonzero(cached == 0)
    made = numbers(new.pages(at[read]))
    cached[read] = made
    frames.token[made] = slots.content[names[read]]
    slots.count[names] -= 1
    through_cache = read[~part.fresh[read]]
    slots.cache(names[through_cache], cached[through_cache])
    frames.map[np.delete(cached, read)] += np.uint16(1)  # those just read were mapped when allocated
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


def _rights(memory: Memory, task: Task, here: slice | IntArray) -> npt.NDArray[np.uint32] | np.uint32:
    """Return the bits an entry gets whose page is the process's own."""
    exclusive = exclusive_bit(memory)
    if task.access == "write":
        return exclusive | WRITE
    if not memory.flags.swapin_read_maps_writable:
        return exclusive
    if task.process.marks is None:
        return exclusive | WRITE
    return np.where((task.process.marks[here] & TRACKED) != 0, exclusive, exclusive | WRITE)


_NOTHING_LEFT: Left = (np.zeros(0, np.intp), np.zeros(0, np.intp))


def _answer(
    memory: Memory, task: Task, pages: Pages, part: PresentPart, valid: int, new: NewFrames
) -> tuple[Left, Left]:
    """Carry out reuse and copy on present pages; return frames left behind that may be idle: old ones, just read ones.

    The latter enter the LRU batch first, so they can be judged only after that; the former may be flushed from it.
    """
    k = valid if part.at is None else int(np.searchsorted(part.at, valid))
    reuse, frames = part.reuse[:k], part.frames[:k]
    read = np.zeros(0, np.bool_)
    if part.swapped:
        assert part.at is not None
        read = frames == 0
        at = part.at[:k][read]
        frames = frames.copy()
        frames[read] = numbers(new.pages(at))
    if not part.seen.settled and part.view.freed.any():
        memory.slots.uncache(frames[part.view.freed[:k]])
    reused = int(np.count_nonzero(reuse))
    if reused:
        _reuse(memory, task, pages, part, None if reused == k else np.flatnonzero(reuse), frames)
    if reused == k:
        return _NOTHING_LEFT, _NOTHING_LEFT
    which = None if not reused else np.flatnonzero(~reuse)
    _copy(memory, task, pages, part, which, frames, new)
    return _left_behind(memory, part, frames, read)


def _left_behind(memory: Memory, part: PresentPart, frames: IntArray, read: Mask) -> tuple[Left, Left]:
    size = len(frames)
    if part.seen.settled:
        stays = part.shared[:size] | part.reuse[:size]
    else:
        stays = (part.seen.mapcount[:size] != 1) | part.reuse[:size]
    if stays.all():
        return _NOTHING_LEFT, _NOTHING_LEFT
    left = np.flatnonzero(~stays)
    old, at = frames[left], left if part.at is None else part.at[left]
    if memory.flags.wp_copy_frees_idle_swapcache and not part.seen.settled:
        memory.slots.uncache(memory.slots.freeable(old))
    if not part.swapped:
        return (at, old), _NOTHING_LEFT
    late = read[left]
    return (at[~late], old[~late]), (at[late], old[late])


def _positions(part: PresentPart, which: IntArray | None, count: int) -> IntArray | None:
    """Return where in the batch the pages `which` of a part are; None stands for the first `count`."""
    if part.at is None:
        return which
    return part.at[:count] if which is None else part.at[which]


def _reuse(
    memory: Memory, task: Task, pages: Pages, part: PresentPart, which: IntArray | None, frames: IntArray
) -> None:
    """Leave pages where they are: writable, or for an unshare fault just exclusive."""
    count = len(frames) if which is None else len(which)
    here = place(pages, _positions(part, which, count), count)
    if task.access == "unshare":
        task.process.words[here] |= exclusive_bit(memory)
        task.counts.unshare_reuse += count
        return
    task.process.words[here] |= WRITE | exclusive_bit(memory)
    _mark(task.process, here, task)
    task.counts.reuse += count
    memory.ledger.reuses += count
    if memory.listener is not None:
        tell(memory, "reuses", task.process.handle, page_numbers(pages, _positions(part, which, count), count))
    if task.token is not None:
        memory.frames.token[frames if which is None else frames.take(which)] = task.token
    if not memory.tainted:
        shared = part.shared[:count] if which is None else part.shared[which]
        memory.tainted = bool(shared.any())


def _copy(
    memory: Memory,
    task: Task,
    pages: Pages,
    part: PresentPart,
    which: IntArray | None,
    frames: IntArray,
    new: NewFrames,
) -> None:
    """Give pages a copy of their frame."""
    process, columns = task.process, memory.frames
    count = len(frames) if which is None else len(which)
    at = _positions(part, which, count)
    mine = new.copies(at, count)
    site = "swap_in" if part.swapped and task.site != "pin" else task.site
    followed = None if memory.listener is None else page_numbers(pages, at, count)
    book_copies(memory, process, site, frames, part, which, followed)
    if process.leading is not None and not part.seen.settled:  # settled frames have no references to lose
        lose(memory, process, page_numbers(pages, at, count))
    old = frames if which is None else frames.take(which)
    columns.token[mine] = columns.token[old] if task.token is None else task.token
    columns.map[old] -= np.uint16(1)
    if process.own is not None:
        process.own[old] = 0
    _set_entries(process, pages, at, count, entries_of(mine, _fresh_bits(memory, task)))
    if process.marks is not None or task.access != "write":
        _mark(process, place(pages, at, count), task)
    task.counts.copy += count


def _set_entries(
    process: ProcessState, pages: Pages, at: IntArray | None, count: int, words: npt.NDArray[np.uint32]
) -> None:
    """Write the entries of the pages at positions `at` (None: the first `count`)."""
    if isinstance(pages, range) and at is not None:
        process.words[pages.start : pages.stop][at] = words
    else:
        process.words[place(pages, at, count)] = words


def entries_of(frames: Selection, bits: np.uint32) -> npt.NDArray[np.uint32]:
    """Return entries with `bits` that map `frames`."""
    if isinstance(frames, slice):
        return np.arange(frames.start + int(bits), frames.stop + int(bits), dtype=np.uint32)
    words = frames.astype(np.uint32)
    words |= bits
    return words


def page_numbers(pages: Pages, at: IntArray | None, count: int) -> IntArray:
    here = place(pages, at, count)
    return np.arange(here.start, here.stop) if isinstance(here, slice) else here


def exclusive_bit(memory: Memory) -> np.uint32:
    return EXCLUSIVE if memory.flags.anon_exclusive else np.uint32(0)


def _fresh_bits(memory: Memory, task: Task) -> np.uint32:
    """Return the bits of an entry that maps a frame of the process's own."""
    write = WRITE if task.access == "write" else np.uint32(0)
    return np.uint32(PRESENT | write | exclusive_bit(memory))
