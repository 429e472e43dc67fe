"""May a write fault reuse the page? The write-fault tables, one function an era."""

from __future__ import annotations

from dataclasses import dataclass

from tests.twin import truth
from tests.twin.memory import drain, free_swap, leave_swap_cache
from tests.twin.state import Entry, Frame, Process, State


@dataclass(frozen=True)
class Answer:
    """Reuse or copy; `lock_refused`: the page lock was tried and not had."""

    reuse: bool
    lock_refused: bool = False


COPY, REUSE = Answer(False), Answer(True)


def decide(state: State, process: Process, entry: Entry) -> Answer:
    """Answer a write (or unshare) fault on a present entry, with the actions that the era's rule has."""
    frame = entry.frame
    assert frame is not None
    rule = state.policy.rule
    if rule == "always":
        return REUSE
    if rule == "truth":
        return Answer(not truth.observed_by_others(frame, process.number))
    if rule == "mapcount":
        return mapcount(state, frame)
    if rule == "page_count":
        return page_count(frame)
    if rule == "exclusive" and entry.exclusive:
        return REUSE
    return page_count_5_18(state, process, frame)


def mapcount(state: State, frame: Frame) -> Answer:
    """Up to 5.8: reuse_swap_page(). Mappings and swap entries count; the lock is waited for."""
    entries = len(frame.mappers) + (len(frame.slot.sharers) if frame.slot else 0)
    if entries == 1 and frame.slot is not None:
        return Answer(release_from_swap_cache(state, frame))
    return Answer(entries <= 1)


def release_from_swap_cache(state: State, frame: Frame) -> bool:
    """The sole user's page leaves the swap cache unless under writeback; False: the device must not see it change."""
    if not frame.writeback:
        leave_swap_cache(state, frame)
        return True
    return not state.config.stable_writes


def page_count(frame: Frame) -> Answer:
    """5.9 to 5.17: the only count must be ours. Nothing is freed or drained first."""
    if frame.refcount != 1:
        return COPY
    if frame.locked:
        return Answer(False, lock_refused=True)
    return REUSE


def page_count_5_18(state: State, process: Process, frame: Frame) -> Answer:
    """5.18, and since 5.19 for pages that are not exclusive: drain and free the swap cache first."""
    if frame.refcount > (2 + (frame.slot is not None) if state.policy.close_bound else 3):
        return COPY
    if frame.batch is not None:
        drain(state, process.cpu)
    if frame.refcount > 1 + (frame.slot is not None):
        return COPY
    if frame.locked:
        return Answer(False, lock_refused=True)
    free_swap(state, frame)
    return Answer(frame.refcount == 1)
