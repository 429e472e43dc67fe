"""What no kernel sees: who observes a frame, which copies were needed, what was lost or leaked."""

from __future__ import annotations

from dataclasses import dataclass

from cowbench.ledger import Cause
from tests.twin.state import Frame, Mm, Process, Reference, State


def observed_by_others(frame: Frame, process: int) -> bool:
    """Whether somebody else maps the frame, has a swap entry leading to it, or holds a reference to it."""
    sharers = frame.slot.sharers if frame.slot is not None else set()
    return bool((frame.mappers | sharers | set(frame.holders)) - {process})


def holds_coherent(state: State, process: int, frame: Frame) -> bool:
    """Whether `process` owns a live coherent reference to the frame."""
    return any(
        reference.owner == process and reference.coherent and frame in reference.frames
        for reference in state.live_references()
    )


def held_coherently(state: State, frame: Frame) -> bool:
    """Whether anybody owns a live coherent reference to the frame."""
    return any(holds_coherent(state, owner, frame) for owner in frame.holders)


@dataclass(frozen=True)
class Judgement:
    """A copy about to be made: needed, or the cause why it was made all the same."""

    needed: bool
    cause: Cause


def judge_copy(state: State, process: Process, frame: Frame, lock_refused: bool) -> Judgement:
    """Judge a copy at a fault, as things stand after the rule's actions and before the copy."""
    return Judgement(observed_by_others(frame, process.number), _cause(state, process, frame, lock_refused))


def _cause(state: State, process: Process, frame: Frame, lock_refused: bool) -> Cause:
    if lock_refused:
        return "lock"
    if process.number in frame.holders:
        return "own_reference"
    if frame.writeback:
        return "writeback_device" if state.config.stable_writes else "writeback"
    if frame.slot is not None:
        return "swap_cache"
    if frame.batch is not None:
        return "lru_batch_local" if frame.batch == process.cpu else "lru_batch_remote"
    return "speculative" if frame.speculative else "policy"


def judge_early_copy(state: State, parent: Process, frame: Frame | None, found: int) -> Judgement:
    """Judge a copy at fork; `found` is the refcount that fork decided by."""
    needed = frame is not None and holds_coherent(state, parent.number, frame)
    mm = parent.mm
    if found < 1023:
        return Judgement(needed, "policy")
    if has_live_pin(state, mm):
        return Judgement(needed, "bias_overflow")
    return Judgement(needed, "sticky_bit" if mm.has_pinned or mm.pins > 0 else "policy")


def has_live_pin(state: State, mm: Mm) -> bool:
    """Whether a pin that this address space took has not been released."""
    return any(reference.kind == "pin" and reference.mm is mm for reference in state.live_references())


def pins(state: State, frame: Frame) -> int:
    """How many live pins, of anybody, hold the frame."""
    live = [reference for reference in state.live_references() if reference.kind == "pin"]
    return sum(held is frame for reference in live for held in reference.frames)


def book_copy(state: State, site: str, judgement: Judgement) -> None:
    """Count a copy."""
    state.ledger.copies[site] += 1
    if not judgement.needed:
        state.ledger.false_positives[site] += 1
        state.ledger.causes[judgement.cause] += 1


def stop_leading(state: State, process: Process, page: int, *, lost: bool) -> None:
    """The page of `process` leads elsewhere from now on; `lost`: not by its own doing."""
    for reference in state.live_references():
        if reference.owner != process.number:
            continue
        for index, leading in enumerate(reference.leading):
            if leading and reference.pages[index] == page:
                reference.leading[index] = False
                if lost and reference.coherent:
                    _book_loss(state, reference, reference.frames[index])


def _book_loss(state: State, reference: Reference, frame: Frame | None) -> None:
    if reference.kind == "get":
        state.ledger.lost_gets += 1
    elif frame is None and not reference.write and not reference.longterm:
        state.ledger.lost_pins_documented += 1
    else:
        state.ledger.lost_pins += 1


def book_leaks(state: State, process: Process, pages: list[int]) -> None:
    """Count the elements of a write batch that lie in a frame somebody else observes."""
    for page in pages:
        frame = process.mm.pages[page].frame
        assert frame is not None
        state.ledger.leaks += observed_by_others(frame, process.number)
