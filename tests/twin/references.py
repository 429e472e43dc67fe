"""pin and get: faults first, then all references at once; release and device writes."""

from __future__ import annotations

from tests.twin import faults, truth
from tests.twin.memory import put
from tests.twin.state import PIN, Frame, Mm, NoFrame, Process, Reference, State


def take(state: State, process: Process, request: Reference, pages: list[int]) -> None:
    """Fill `request` (kind, write, longterm and coherent are set). Raises OutOfFrames, then it is never born."""
    if request.kind == "pin":
        remember_pin(state, process.mm, len(pages), request.longterm)
    done = 0
    try:
        for page in pages:
            _fault_in(state, process, request, page)
            done += 1
        for page in _to_unshare(state, process, request, pages):
            done = pages.index(page)
            faults.unshare(state, process, page)
    except NoFrame:
        if request.kind == "pin":
            forget_pin(state, process.mm, len(pages))
        raise faults.out_of_frames(process, pages[done], done) from None
    hold(state, process, request, pages)


def _fault_in(state: State, process: Process, request: Reference, page: int) -> None:
    if request.write or state.policy.breaks_reads:
        faults.write_fault(state, process, page, pinning=True)
    else:
        faults.read_fault(state, process, page, pinning=True)


def _to_unshare(state: State, process: Process, request: Reference, pages: list[int]) -> list[int]:
    if request.write:
        return []
    return [page for page in dict.fromkeys(pages) if _must_unshare(state, process, request, page)]


def _must_unshare(state: State, process: Process, request: Reference, page: int) -> bool:
    entry = process.mm.pages[page]
    if state.policy.unshares == "pins" and request.kind == "pin":
        return request.longterm and state.policy.breaks_zero if entry.zero else not entry.exclusive
    if state.policy.unshares == "coherent" and request.coherent:
        return entry.frame is None or truth.observed_by_others(entry.frame, process.number)
    return False


def hold(state: State, process: Process, request: Reference, pages: list[int]) -> None:
    """Take one count (get) or 1024 (pin) on the frame of every element; the zero page has no counts."""
    request.owner, request.mm, request.pages = process.number, process.mm, list(pages)
    request.frames = [process.mm.pages[page].frame for page in pages]
    request.leading = [True] * len(pages)
    request.born = request.live = True
    for frame in request.frames:
        if frame is not None:
            frame.refcount += _amount(request)
            frame.holders[process.number] = frame.holders.get(process.number, 0) + 1
    state.ledger.pinned_pages += len(pages)


def _amount(reference: Reference) -> int:
    return PIN if reference.kind == "pin" else 1


def release(state: State, reference: Reference) -> None:
    """Drop every element's counts; the policy's counter goes down in the mm that took the pin."""
    reference.live = False
    for frame in reference.frames:
        if frame is not None:
            _drop_holder(frame, reference.owner)
            put(state, frame, _amount(reference))
    state.ledger.unpinned_pages += len(reference.pages)
    if reference.kind == "pin":
        forget_pin(state, reference.mm, len(reference.pages))


def _drop_holder(frame: Frame, owner: int) -> None:
    frame.holders[owner] -= 1
    if frame.holders[owner] == 0:
        del frame.holders[owner]


def remember_pin(state: State, mm: Mm, pages: int, longterm: bool) -> None:
    """Leave the policy's mark of a FOLL_PIN, before the page tables are walked."""
    mark = state.policy.mark
    if mark == "any" or (mark == "longterm" and longterm):
        mm.has_pinned = True
    if mark == "counter":
        mm.pins += pages


def forget_pin(state: State, mm: Mm, pages: int) -> None:
    """Only a counter forgets; a sticky mark stays."""
    if state.policy.mark == "counter":
        mm.pins -= pages


def device_write(state: State, reference: Reference, token: int) -> None:
    """Store past every page table; a leak for each element whose frame somebody else observes."""
    for frame in reference.frames:
        assert frame is not None
        frame.token = token
        state.ledger.leaks += truth.observed_by_others(frame, reference.owner)
