"""Driving faults: batches in blocks, plans applied one after the other, running out of frames half-way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cowbench.errors import OutOfFrames
from cowbench.ledger import FaultCounts
from cowbench.machine import Pages
from cowbench.simulated.booking import count_leaks
from cowbench.simulated.commit import Task, commit, page_numbers, place
from cowbench.simulated.frames import IntArray
from cowbench.simulated.memory import Memory
from cowbench.simulated.plan import Plan, plan_faults
from cowbench.simulated.process import ProcessState
from cowbench.simulated.settled import serve_settled
from cowbench.simulated.words import NUMBER, PRESENT, WRITE, ZERO_PAGE
from cowbench.views import nowhere

BLOCK = 1 << 16
"""Pages planned at once: large enough to amortise calls, small enough to stay in cache."""


def blocks(pages: Pages) -> list[Pages]:
    """Cut a batch into blocks."""
    return [pages[start : start + BLOCK] for start in range(0, len(pages), BLOCK)]


def as_array(pages: Pages) -> IntArray:
    """Return page numbers as an array."""
    return np.arange(pages.start, pages.stop) if isinstance(pages, range) else pages


def ascending(pages: IntArray) -> bool:
    """Return whether each page is larger than the one before it."""
    return bool((pages[1:] > pages[:-1]).all())


def first_occurrences(pages: Pages) -> tuple[Pages, IntArray | None]:
    """Return the pages without repetitions, in order, and at which element each stands (None if there were none)."""
    if isinstance(pages, range) or ascending(pages):
        return pages, None
    last = np.empty(int(pages.max()) + 1, np.uint32)
    order = np.arange(len(pages), dtype=np.uint32)
    last[pages[::-1]] = order[::-1]
    kept = np.flatnonzero(last.take(pages) == order)
    return (pages, None) if len(kept) == len(pages) else (pages[kept], kept)


def entries(process: ProcessState, pages: Pages) -> npt.NDArray[np.uint32]:
    """Return the entries of pages: a view for a range, else a copy."""
    if isinstance(pages, range):
        return process.words[pages.start : pages.stop]
    return process.words.take(pages)


def resolve(memory: Memory, task: Task, pages: Pages, words: npt.NDArray[np.uint32]) -> int:
    """Take the faults of `task` on `pages` (unsatisfied, no duplicates), whose entries are `words`, in order.

    Returns how many pages were served: all, or those before the first that found no frame. May overwrite `words`.
    """
    done = 0
    while done < len(pages):
        rest, here = (pages[done:], words[done:]) if done else (pages, words)
        settled = serve_settled(memory, task, rest, here)
        done += settled
        if settled:
            continue
        plan = plan_faults(memory, task.process, here, task.access)
        if plan.valid:
            commit(memory, task, rest, plan)
            done += plan.valid
            continue
        served = _recover(memory, task, rest, plan)
        if served is None:
            break
        done += served
    return done


def _recover(memory: Memory, task: Task, pages: Pages, plan: Plan) -> int | None:
    """Do what the first page can without the frame it lacks; return how many pages that served, None if it is stuck.

    A denied swap-in is mapped read-only before its copy; what the rule drains then may free the frame for that.
    """
    process = task.process
    if plan.swap is not None and plan.swap.at[0] == 0:
        room = memory.frames.room(process.memcg)
        if plan.first[0] > room:
            return None
        plan.valid, plan.present = 1, []
        plan.second = nowhere(plan.size)
        commit(memory, Task(process, "read", task.site, None, task.counts), pages, plan)
        late = replace(task, site="pin" if task.site == "pin" else "swap_in")
        return resolve(memory, late, pages[:1], entries(process, pages[:1])) or None
    if plan.drains[0] and len(memory.batches.held[process.cpu]):
        memory.batches.drain(process.cpu)
        return 0
    for part in plan.present:
        if (part.at is None or part.at[0] == 0) and not part.seen.settled:
            memory.slots.uncache(part.frames[:1][part.view.freed[:1]])
    return None


def out_of_frames(memory: Memory, process: ProcessState, done: int) -> OutOfFrames:
    """Return the error of a fault without a frame."""
    if memory.frames.free:
        return OutOfFrames(f"memory cgroup {process.memcg} is at its limit; raise memcg_limits", done)
    return OutOfFrames(f"all {memory.config.frames} frames are in use; raise frames= or use fewer pages", done)


def write_pages(memory: Memory, process: ProcessState, pages: Pages, token: int) -> None:
    """Store `token` in pages, faulting where an entry is not writable. Raises OutOfFrames."""
    task = Task(process, "write", "write_fault", token, memory.ledger.faults)
    unique, where = first_occurrences(pages)
    offset = 0
    for block in blocks(unique):
        served = _write_block(memory, task, block, entries(process, block))
        offset += served
        if served < len(block):
            break
    memory.batches.mark(process.cpu)
    done = len(pages) if offset == len(unique) else int(where[offset]) if where is not None else offset
    count_leaks(memory, process, pages[:done])
    if offset < len(unique):
        raise out_of_frames(memory, process, done)


def _write_block(memory: Memory, task: Task, block: Pages, words: npt.NDArray[np.uint32]) -> int:
    if words.max() < WRITE:
        return resolve(memory, task, block, words)
    if words.min() >= WRITE:
        _store(memory, task, place(block, None, len(block)), words)
        return len(block)
    served = serve_settled(memory, task, block, words)
    if served == len(block):
        return served
    if served:
        block = block[served:]
        return served + _write_block(memory, task, block, entries(task.process, block))
    ready = words >= WRITE
    pending, written = np.flatnonzero(~ready), np.flatnonzero(ready)
    writable = words.take(written)
    done = resolve(memory, task, page_numbers(block, pending, len(pending)), words.take(pending))
    served = len(block) if done == len(pending) else int(pending[done])
    if served < len(block):
        written = written[: int(np.searchsorted(written, served))]
    _store(memory, task, place(block, written, len(written)), writable[: len(written)])
    return served


def _store(memory: Memory, task: Task, here: slice | IntArray, words: npt.NDArray[np.uint32]) -> None:
    """Write to pages that are writable already."""
    assert task.token is not None
    memory.frames.token[(words & NUMBER).astype(np.intp)] = task.token
    if task.process.marks is not None:
        task.process.marks[here] = 0


def read_pages(memory: Memory, process: ProcessState, pages: Pages) -> None:
    """Load pages: absent ones map the zero page, swapped ones come back. Raises OutOfFrames."""
    unique, where = first_occurrences(pages)
    done = read_faults(memory, process, unique, memory.ledger.faults)
    if done < len(unique):
        raise out_of_frames(memory, process, int(where[done]) if where is not None else done)


def read_faults(memory: Memory, process: ProcessState, pages: Pages, counts: FaultCounts) -> int:
    """Take read faults on pages without duplicates; return how many pages were served."""
    task = Task(process, "read", "pin", None, counts)
    offset = 0
    for block in blocks(pages):
        words = entries(process, block)
        served = len(block)
        if not np.bitwise_and.reduce(words) & PRESENT:
            missing = np.flatnonzero((words & PRESENT) == 0)
            numbers, empty = as_array(block), words[missing] == 0
            swapped, absent = missing[~empty], missing[empty]
            done = resolve(memory, task, numbers[swapped], words[swapped])
            served = len(block) if done == len(swapped) else int(swapped[done])
            absent = absent[absent < served]
            process.words[numbers[absent]] = ZERO_PAGE
            process.zero_pages += len(absent)
            counts.read_zero += len(absent)
        offset += served
        if served < len(block):
            break
    return offset
