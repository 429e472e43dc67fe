"""page_out: MADV_PAGEOUT down to the swap device."""

from __future__ import annotations

from tests.twin import truth
from tests.twin.memory import drain, enter_batch, enter_swap_cache, leave_swap_cache, new_slot, put, unmap
from tests.twin.state import PIN, Entry, Frame, Process, State


def page_out(state: State, process: Process, pages: list[int], drop: bool) -> None:
    """Drain, then try each page; the kept ones are put back through the LRU batch at the end."""
    drain(state, process.cpu)
    kept = []
    for page in dict.fromkeys(pages):
        entry = process.mm.pages.get(page)
        frame = entry.frame if entry is not None else None
        if entry is None or frame is None or not _takes(state, frame):
            continue
        frame.refcount += 1  # isolated
        if _unmapped(state, process, page, entry, frame) and _written_and_dropped(state, frame, drop):
            put(state, frame)
        else:
            kept.append(frame)
    for frame in kept:
        enter_batch(state, frame, process.cpu)
        put(state, frame)


def _takes(state: State, frame: Frame) -> bool:
    """Whether reclaim isolates the frame: mapped once and on the LRU. The oracle leaves coherent references alone."""
    if state.policy.rule == "truth" and truth.held_coherently(state, frame):
        return False
    return len(frame.mappers) == 1 and frame.batch is None


def _unmapped(state: State, process: Process, page: int, entry: Entry, frame: Frame) -> bool:
    """Move an isolated page into the swap cache and out of the page table; False: refused, it stays mapped."""
    if frame.locked or frame.writeback:
        return False
    if state.policy.refuses_references and frame.refcount > 2 + (frame.slot is not None):
        return False
    if frame.slot is None:
        if state.policy.refuses_pins and frame.refcount >= PIN:
            return False
        enter_swap_cache(state, frame, new_slot(state))
    if entry.exclusive and frame.refcount >= PIN:
        return False
    assert frame.slot is not None
    process.mm.pages[page] = Entry(slot=frame.slot, exclusive=entry.exclusive, tracked=entry.tracked)
    frame.slot.sharers.add(process.number)
    unmap(state, frame, process)
    state.ledger.paged_out += 1
    return True


def _written_and_dropped(state: State, frame: Frame, drop: bool) -> bool:
    """Write an unmapped page out and drop it from the swap cache; False: it stays there."""
    if frame.refcount != 2 or not (drop or state.config.swap == "synchronous"):
        return False
    leave_swap_cache(state, frame)
    return True
