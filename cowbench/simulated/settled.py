"""The common batch of write faults: every page is present, and every frame has mappings and nothing else.

No action of a rule then has anything to do, no page waits in an LRU batch and no reference can be lost, so one answer
of the policy holds for the whole batch. `plan.py` and `commit.py` would do the same in many more passes over memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cowbench.machine import Pages
from cowbench.simulated.booking import tell
from cowbench.simulated.commit import Task, entries_of, exclusive_bit, page_numbers
from cowbench.simulated.frames import LOOK, IntArray, Selection, consecutive, leading, numbers, picked
from cowbench.simulated.memory import Memory, ask, truth
from cowbench.simulated.peak import NEVER, Times, book_peak, enter_batch, release_left
from cowbench.simulated.plan import all_present
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import EXCLUSIVE, NUMBER, PRESENT, WRITE
from cowbench.views import Columns, Mask, WriteFault, everywhere, nowhere

Words = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.uint16]


@dataclass
class Batch:
    """Faults in order with their answers; pages that are writable already may stand among them.

    words: entries, or a view of them if `pages` is a range. frames: they map. counts: of mappings. shared: there are
    others than the writer's. pending: positions of the faults, None if all pages fault. reuse: true for all other
    pages, too. copies: how many faults are not reused.
    """

    task: Task
    pages: Pages
    words: Words
    frames: Selection
    counts: Counts
    shared: Mask
    pending: IntArray | None
    reuse: Mask
    copies: int

    def __len__(self) -> int:
        return len(self.words)


def serve_settled(memory: Memory, task: Task, pages: Pages, words: Words) -> int:
    """Write to `pages`, whose entries are `words` (to be overwritten), if they are of this kind.

    Returns how many were served: 0 if they are not, or if the first finds no frame.
    """
    if task.access != "write" or not all_present(task.process, words):
        return 0
    pending = None if words.max() < WRITE else np.flatnonzero(words < WRITE)
    frames = _frames(words)
    counts = memory.frames.map[frames] if isinstance(frames, slice) else memory.frames.map.take(frames)
    answer = _ask(memory, task.process, words, counts, pending)
    if answer is None:
        return 0
    copies = len(answer) - int(np.count_nonzero(answer))
    if pending is not None:
        reuse = np.ones(len(words), np.bool_)
        reuse[pending] = answer
        answer = reuse
    shared = counts.view(np.int16) > 1  # negative with LOOK, as only pages that are writable already can be
    batch = Batch(task, pages, words, frames, counts, shared, pending, answer, copies)
    room = memory.frames.room(task.process.memcg)
    if copies > room:
        batch = _first(batch, int(np.searchsorted(np.cumsum(~answer), room, side="right")), room)
    if len(batch):
        _apply(memory, batch)
    return len(batch)


def _frames(words: Words) -> Selection:
    run = consecutive(words)
    if run is None:
        return (words & NUMBER).astype(np.intp)
    first = run.start & int(NUMBER)
    return slice(first, first + len(words))


def _ask(memory: Memory, process: ProcessState, words: Words, counts: Counts, pending: IntArray | None) -> Mask | None:
    """Return which faults the policy answers by reuse; None if there is more about a frame than its mappings."""
    if pending is not None:
        counts = counts.take(pending)
    if counts.max() >= LOOK:
        return None
    exclusive = nowhere(len(counts))
    if memory.flags.anon_exclusive:
        exclusive = ((words if pending is None else words.take(pending)) & EXCLUSIVE) != 0
    seen = Columns.plain(counts.astype(np.int32), exclusive)
    facts = truth(memory, counts > 1) if memory.policy.sees_truth else None
    return ask(memory.policy.reuse, WriteFault(seen, process.space.mm, memory.config.stable_writes, truth=facts))


def _first(batch: Batch, size: int, copies: int) -> Batch:
    pending = None if batch.pending is None else batch.pending[: int(np.searchsorted(batch.pending, size))]
    columns = (batch.counts[:size], batch.shared[:size], pending, batch.reuse[:size])
    return Batch(batch.task, batch.pages[:size], batch.words[:size], leading(batch.frames, size), *columns, copies)


def _apply(memory: Memory, batch: Batch) -> None:
    process, pages, size = batch.task.process, batch.pages, len(batch)
    here = slice(pages.start, pages.stop) if isinstance(pages, range) else pages
    batch.words |= WRITE | exclusive_bit(memory)
    if batch.copies < size:
        _reuse(memory, batch)
    if batch.copies:
        _copy(memory, batch)
    if not isinstance(pages, range):
        process.words[here] = batch.words
    if process.marks is not None:
        process.marks[here] = 0


def _reuse(memory: Memory, batch: Batch) -> None:
    """Leave pages where they are, those that were writable among them."""
    task, pending = batch.task, batch.pending
    at = np.flatnonzero(batch.reuse) if batch.copies else None
    if task.token is not None:
        memory.frames.token[picked(batch.frames, at)] = task.token
    count = len(batch if pending is None else pending) - batch.copies
    task.counts.reuse += count
    memory.ledger.reuses += count
    if not memory.tainted:
        memory.tainted = bool((batch.shared & batch.reuse).any())
    if memory.listener is not None:
        reused = at if pending is None else pending[batch.reuse[pending]]
        tell(memory, "reuses", task.process.handle, page_numbers(batch.pages, reused, count))


def _copy(memory: Memory, batch: Batch) -> None:
    """Give pages a copy of their frame."""
    task, copies, size, frames = batch.task, batch.copies, len(batch), memory.frames
    copied = everywhere(size) if copies == size else ~batch.reuse
    at = None if copies == size else np.flatnonzero(copied)
    used = frames.used
    new = frames.allocate(copies, task.process.memcg, task.process.own)
    frames.token[new] = frames.token[picked(batch.frames, at)] if task.token is None else task.token
    _unmap(memory, batch, copied, at)
    batch.words[slice(None) if at is None else at] = entries_of(new, PRESENT | WRITE | exclusive_bit(memory))
    task.counts.copy += copies
    memory.ledger.copies[task.site] += copies
    if memory.listener is not None:
        tell(memory, "copies", task.process.handle, page_numbers(batch.pages, at, copies), task.site)
    freed = [_leave(memory, batch)]
    none = nowhere(size)
    flush, flushed = enter_batch(memory, task.process.cpu, none, copied, none, new)
    if len(flushed):  # none of them was left in this batch: it had a reference
        freed.append(np.full(len(flushed), flush))
    book_peak(memory, used, none, copied, freed)


def _unmap(memory: Memory, batch: Batch, copied: Mask, at: IntArray | None) -> None:
    """Take the process's mappings off the frames of copied pages: densely if they are consecutive."""
    columns, own = memory.frames, batch.task.process.own
    if isinstance(batch.frames, slice):
        columns.map[batch.frames] -= copied
        if own is not None:
            own[batch.frames] = batch.reuse
        return
    old = picked(batch.frames, at)
    columns.map[old] = (batch.counts if at is None else batch.counts.take(at)) - np.uint16(1)
    if own is not None:
        own[old] = 0


def _leave(memory: Memory, batch: Batch) -> Times:
    """Book copies that nobody else needed and free the frames they left; return when."""
    kept = batch.shared | batch.reuse
    if kept.all():
        return NEVER
    task, at = batch.task, np.flatnonzero(~kept)
    memory.ledger.false_positives[task.site] += len(at)
    memory.ledger.causes["policy"] += len(at)
    if memory.listener is not None:
        pages = page_numbers(batch.pages, at, len(at))
        tell(memory, "false_positive_copies", task.process.handle, pages, task.site, "policy")
    return release_left(memory, (at, numbers(picked(batch.frames, at))))
