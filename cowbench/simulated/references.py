"""pin, get and release; what devices read and write through references (gup.c)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from cowbench.machine import Pages
from cowbench.policy import Policy
from cowbench.rules import GUP_PIN_COUNTING_BIAS
from cowbench.simulated.booking import book_leaks, observed_besides_owner
from cowbench.simulated.commit import Task
from cowbench.simulated.faults import as_array, blocks, entries, first_occurrences, read_faults, resolve
from cowbench.simulated.frames import LOOK, IntArray, consecutive
from cowbench.simulated.memory import Memory, ask, look, observed, truth
from cowbench.simulated.process import ProcessState, ReferenceState
from cowbench.simulated.words import EXCLUSIVE, NUMBER, PRESENT, WRITE, ZERO_PAGE
from cowbench.views import GupPages, Mask


def fault_in(memory: Memory, process: ProcessState, pages: Pages, request: ReferenceState) -> int:
    """Take the faults that a reference needs, in order; return how many elements of `pages` were served."""
    unique, where = first_occurrences(pages)
    if request.write or memory.flags.reads_break_cow:
        served = _break_cow(memory, process, unique)
    else:
        served = read_faults(memory, process, unique, memory.ledger.pin_faults)
        if served == len(unique):
            served = _unshare(memory, process, unique, request)
    memory.batches.mark(process.cpu)
    if served == len(unique):
        return len(pages)
    return int(where[served]) if where is not None else served


def _break_cow(memory: Memory, process: ProcessState, pages: Pages) -> int:
    """Take write faults that store nothing until every page is writable."""
    task = Task(process, "write", "pin", None, memory.ledger.pin_faults)
    offset = 0
    for block in blocks(pages):
        words = entries(process, block)
        pending = np.flatnonzero(words < WRITE)
        if len(pending) == len(block):
            done = resolve(memory, task, block, words)
        else:
            done = resolve(memory, task, as_array(block)[pending], words[pending])
        if done < len(pending):
            return offset + int(pending[done])
        offset += len(block)
    return offset


def _unshare(memory: Memory, process: ProcessState, pages: Pages, request: ReferenceState) -> int:
    """Take the unshare faults that the policy asks for; all pages are present. Return how many pages were served."""
    if type(memory.policy).unshare is Policy.unshare:
        return len(pages)
    task = Task(process, "unshare", "pin", None, memory.ledger.pin_faults)
    numbers = as_array(pages)
    words = process.words[numbers]
    frames = (words & NUMBER).astype(np.intp)
    seen = look(memory, process.cpu, frames, (words & EXCLUSIVE) != 0)
    others = observed(memory, process, frames, seen)
    facts = truth(memory, others, np.full(len(frames), request.coherent))
    view = GupPages(seen, process.space.mm, request.pin, request.longterm, words == ZERO_PAGE, facts)
    chosen = np.flatnonzero(ask(memory.policy.unshare, view))
    done = resolve(memory, task, numbers[chosen], words[chosen])
    return len(numbers) if done == len(chosen) else int(chosen[done])


def take(memory: Memory, request: ReferenceState, handle: int) -> None:
    """Take the references on what the owner's pages map now, duplicates included."""
    owner, columns = request.owner, memory.frames
    request.frames = (owner.words.take(request.pages) & NUMBER).astype(np.intp)
    real = _real(request.frames)
    if len(owner.references) < columns.high:
        more = np.zeros(columns.high + columns.high // 2 + 64 - len(owner.references), np.uint32)
        owner.references = np.concatenate((owner.references, more))
    _count(memory, request, real, 1)
    columns.map[real] = columns.map.take(real) | LOOK
    if len(real) < len(request.frames):
        request.zero_leads = request.frames == 0
    if request.coherent:
        _lead(request, None, 1)
    owner.held[handle] = request
    if request.pin:
        request.space.live_pins += len(request.pages)
    memory.ledger.pinned_pages += len(request.pages)


def _real(frames: IntArray) -> IntArray:
    """Return frames without the zero page."""
    return frames if not len(frames) or frames.min() else frames[frames != 0]


def release(memory: Memory, request: ReferenceState, handle: int) -> None:
    """Drop the references and free frames that nothing else refers to."""
    owner = request.owner
    real = _real(request.frames)
    if request.coherent and owner.leading is not None:
        _lead(request, leads(memory, request), -1)
    _count(memory, request, real, -1)
    del owner.held[handle]
    memory.frames.settle(real if request.distinct else np.unique(real))
    if request.pin:
        request.space.live_pins -= len(request.pages)
        memory.policy.on_unpin(request.space.mm, len(request.pages), request.longterm)
    memory.ledger.unpinned_pages += len(request.pages)


def _count(memory: Memory, request: ReferenceState, frames: IntArray, sign: int) -> None:
    """Add to the counts of frames, or take away."""
    columns, distinct = memory.frames, request.distinct
    _add(columns.extra, frames, sign * (GUP_PIN_COUNTING_BIAS if request.pin else 1), distinct)
    _add(columns.owners, frames, sign, distinct)
    _add(request.owner.references, frames, sign, distinct)
    if request.coherent and memory.policy.sees_truth:
        _add(columns.coherent, frames, sign, distinct)


def _add(column: npt.NDArray[Any], at: IntArray, amount: int, distinct: bool) -> None:
    """Add to entries of a column, which may repeat unless they are `distinct`."""
    step = column.dtype.type(abs(amount))
    run = consecutive(at) if distinct and len(at) else None
    if run is not None:
        (np.add if amount >= 0 else np.subtract)(column[run], step, out=column[run])
    elif distinct:
        now = column.take(at)
        column[at] = now + step if amount >= 0 else now - step
    else:
        (np.add if amount >= 0 else np.subtract).at(column, at, step)


def _lead(request: ReferenceState, where: Mask | None, sign: int) -> None:
    """Add or take away this reference from the counts of its owner's pages that lead to it (None: all)."""
    owner = request.owner
    if owner.leading is None:
        owner.leading = np.zeros((3, len(owner.words)), np.uint32)
    zero = request.frames == 0 if request.zero_leads is not None else None
    for zero_page in (False, True) if zero is not None else (False,):
        there = where if zero is None else zero == zero_page if where is None else where & (zero == zero_page)
        pages = request.pages if there is None or there.all() else request.pages.compress(there)
        if len(pages):
            _add(owner.leading[request.row(zero_page)], pages, sign, request.distinct)


def leads(memory: Memory, request: ReferenceState) -> Mask:
    """Return for each element whether the owner's page still leads to its frame."""
    owner = request.owner
    if owner.leading is None or request.space is not owner.space:
        return np.zeros(len(request.pages), np.bool_)
    words = owner.words.take(request.pages)
    reached = words & NUMBER
    if owner.swapped or not np.bitwise_and.reduce(words) & PRESENT:
        present = (words & PRESENT) != 0
        swapped = ~present & (words != 0)
        slots = reached[swapped]
        reached[~present] = 0
        reached[swapped] = memory.slots.frame[slots]
    leads: Mask = (reached == request.frames) & (request.frames != 0)
    return leads if request.zero_leads is None else leads | request.zero_leads


def device_write(memory: Memory, request: ReferenceState, token: int) -> None:
    """Store `token` past every page table; what lands under somebody else's eyes is a leak."""
    others = observed_besides_owner(memory, request)
    book_leaks(memory, request.owner, request.pages, others)
    memory.frames.token[request.frames] = token
