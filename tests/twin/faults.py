"""Page faults: first touch, copy-on-write, unshare and swap-in."""

from __future__ import annotations

from cowbench.errors import OutOfFrames
from cowbench.ledger import FaultCounts
from tests.twin import rules, truth
from tests.twin.memory import (
    allocate,
    drain,
    drop_swap_entry,
    enter_swap_cache,
    free_swap,
    free_swap_if_idle,
    map_frame,
    unmap,
)
from tests.twin.state import Entry, Frame, NoFrame, Process, State


def write(state: State, process: Process, pages: list[int], token: int) -> None:
    """Store `token` in each page, in order. Raises OutOfFrames."""
    done = 0
    try:
        for page in pages:
            write_fault(state, process, page, pinning=False)
            store(process, page, token)
            done += 1
    except NoFrame:
        raise out_of_frames(process, page, done) from None
    finally:
        truth.book_leaks(state, process, pages[:done])


def store(process: Process, page: int, token: int) -> None:
    """Store into a writable page."""
    entry = process.mm.pages[page]
    assert entry.write
    assert entry.frame is not None
    entry.dirty, entry.tracked = True, False
    entry.frame.token = token


def read(state: State, process: Process, pages: list[int]) -> None:
    """Load each page, in order. Raises OutOfFrames."""
    for done, page in enumerate(pages):
        try:
            read_fault(state, process, page, pinning=False)
        except NoFrame:
            raise out_of_frames(process, page, done) from None


def out_of_frames(process: Process, page: int, done: int) -> OutOfFrames:
    """Make the error that a batch ends with."""
    return OutOfFrames(f"process {process.number}, page {page}: no frame; give the machine more", done)


def _counts(state: State, pinning: bool) -> FaultCounts:
    return state.ledger.pin_faults if pinning else state.ledger.faults


def write_fault(state: State, process: Process, page: int, *, pinning: bool) -> None:
    """Make a page writable and dirty, with the fault that takes; nothing if it is writable."""
    entry = process.mm.pages.get(page)
    if entry is None or entry.zero:
        fill_zero(state, process, page, pinning=pinning, unshare=False)
    elif entry.slot is not None:
        swap_in(state, process, page, write=True, pinning=pinning)
    elif not entry.write:
        break_cow(state, process, page, "pin" if pinning else "write_fault", pinning=pinning)


def read_fault(state: State, process: Process, page: int, *, pinning: bool) -> None:
    """Make a page readable, with the fault that takes."""
    entry = process.mm.pages.get(page)
    if entry is None:
        process.mm.pages[page] = Entry()
        _counts(state, pinning).read_zero += 1
    elif entry.slot is not None:
        swap_in(state, process, page, write=False, pinning=pinning)


def fill_zero(state: State, process: Process, page: int, *, pinning: bool, unshare: bool) -> None:
    """Give the process a fresh page for none or the zero page: writable, or read-only when unsharing."""
    old = process.mm.pages.get(page)
    frame = allocate(state, 0, process.memcg, process.cpu)
    map_frame(frame, process)
    tracked = unshare and old is not None and old.tracked
    process.mm.pages[page] = Entry(
        frame, write=not unshare, exclusive=state.policy.exclusive, dirty=not unshare, tracked=tracked
    )
    _counts(state, pinning).zero_fill += 1
    truth.stop_leading(state, process, page, lost=True)


def break_cow(state: State, process: Process, page: int, site: str, *, pinning: bool) -> None:
    """A write fault on a present read-only page: reuse or copy."""
    entry = process.mm.pages[page]
    answer = rules.decide(state, process, entry)
    if not answer.reuse:
        copy(state, process, page, site, answer.lock_refused, pinning=pinning, unshare=False)
        return
    entry.write = entry.dirty = True
    entry.exclusive, entry.tracked = state.policy.exclusive, False
    state.ledger.reuses += 1
    _counts(state, pinning).reuse += 1


def unshare(state: State, process: Process, page: int) -> None:
    """Make a page the process's own before a reference for reading is taken; it stays read-only."""
    entry = process.mm.pages[page]
    if entry.zero:
        fill_zero(state, process, page, pinning=True, unshare=True)
        return
    answer = rules.decide(state, process, entry)
    if answer.reuse:
        entry.exclusive = True
        state.ledger.pin_faults.unshare_reuse += 1
    else:
        copy(state, process, page, "pin", answer.lock_refused, pinning=True, unshare=True)


def copy(
    state: State, process: Process, page: int, site: str, lock_refused: bool, *, pinning: bool, unshare: bool
) -> None:
    """wp_page_copy(): the process moves to a new frame. Raises NoFrame before anything is changed."""
    entry = process.mm.pages[page]
    old = entry.frame
    assert old is not None
    judgement = truth.judge_copy(state, process, old, lock_refused)
    new = allocate(state, old.token, process.memcg, process.cpu)
    truth.book_copy(state, site, judgement)
    truth.stop_leading(state, process, page, lost=True)
    _counts(state, pinning).copy += 1
    map_frame(new, process)
    process.mm.pages[page] = Entry(
        new,
        write=not unshare,
        exclusive=state.policy.exclusive,
        dirty=not unshare,
        tracked=unshare and entry.tracked,
    )
    unmap(state, old, process)
    if state.policy.frees_idle:
        free_swap_if_idle(state, old)


def swap_in(state: State, process: Process, page: int, *, write: bool, pinning: bool) -> None:
    """do_swap_page(): bring a page back; a write that is not granted goes on to the write-fault rule at once."""
    entry = process.mm.pages[page]
    frame, fresh = _find_frame(state, process, entry)
    own = _own(state, process, entry, frame, fresh, write)
    granted = own and write
    early = own and not write and state.policy.read_maps_writable and not entry.tracked
    map_frame(frame, process)
    process.mm.pages[page] = Entry(
        frame,
        write=granted or early,
        exclusive=own and state.policy.exclusive,
        dirty=granted,
        tracked=entry.tracked and not granted,
    )
    _counts(state, pinning).swap_in += 1
    if write and not granted:
        break_cow(state, process, page, "pin" if pinning else "swap_in", pinning=pinning)


def _find_frame(state: State, process: Process, entry: Entry) -> tuple[Frame, bool]:
    """Return the frame with a count for the fault, and whether it is a fresh one outside the swap cache."""
    slot = entry.slot
    assert slot is not None
    if slot.frame is not None:
        slot.frame.refcount += 1
        return slot.frame, False
    frame = allocate(state, slot.content, process.memcg, process.cpu)
    synchronous = state.config.swap == "synchronous" and state.policy.bypass
    bypass = synchronous and len(slot.sharers) == 1
    if not bypass:
        enter_swap_cache(state, frame, slot)
    return frame, bypass


def _own(state: State, process: Process, entry: Entry, frame: Frame, fresh: bool, write: bool) -> bool:
    """Answer whether the page is the process's own; its swap entry is gone afterwards."""
    slot = entry.slot
    assert slot is not None
    rule = state.policy.swap
    if rule == "mapcount":
        own = write and _own_by_mapcount(state, frame)
        drop_swap_entry(state, slot, process)
        return own
    if rule in ("always", "truth"):
        own = rule == "always" or not truth.observed_by_others(frame, process.number)
        drop_swap_entry(state, slot, process)
        return own
    exclusive = fresh or (entry.exclusive and not (frame.writeback and state.config.stable_writes))
    if write and state.policy.swap_drains and frame.slot is not None and frame.batch is not None:
        drain(state, process.cpu)
    drop_swap_entry(state, slot, process)
    batched = frame.batch is not None and not state.policy.swap_drains
    if write and state.policy.swap_frees and frame.refcount == 2 + batched:
        free_swap(state, frame)
    return exclusive or frame.refcount == 1


def _own_by_mapcount(state: State, frame: Frame) -> bool:
    """Up to 5.17: mappings and swap entries, the faulting entry still among them."""
    return rules.mapcount(state, frame).reuse
