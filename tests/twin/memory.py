"""Frames, LRU batches and the swap cache: who holds which count."""

from __future__ import annotations

from tests.twin.state import Frame, NoFrame, Process, Slot, State


def allocate(state: State, token: int, memcg: int, cpu: int) -> Frame:
    """Take a free frame with one count for the caller; it enters the LRU batch of `cpu`. Raises NoFrame."""
    limit = state.config.memcg_limits.get(memcg)
    charged = state.charges.get(memcg, 0)
    if len(state.frames) >= state.config.frames or (limit is not None and charged >= limit):
        raise NoFrame
    state.frames_made += 1
    frame = state.frames[state.frames_made] = Frame(state.frames_made, token, memcg)
    state.charges[memcg] = charged + 1
    state.ledger.frames_peak = max(state.ledger.frames_peak, len(state.frames))
    enter_batch(state, frame, cpu)
    return frame


def put(state: State, frame: Frame, counts: int = 1) -> None:
    """Drop counts; the last one frees the frame and ends its charge."""
    frame.refcount -= counts
    assert frame.refcount >= 0
    if frame.refcount == 0:
        assert not frame.mappers
        assert not frame.holders
        assert frame.slot is None
        assert frame.batch is None
        del state.frames[frame.number]
        state.charges[frame.memcg] -= 1


def enter_batch(state: State, frame: Frame, cpu: int) -> None:
    """Queue a frame in the LRU batch of `cpu`; the entry that fills the batch flushes it."""
    assert frame.batch is None
    frame.refcount += 1
    frame.batch = cpu
    state.batches[cpu].append(frame)
    if len(state.batches[cpu]) == state.policy.lru_batch:
        drain(state, cpu)


def drain(state: State, cpu: int) -> None:
    """Move every frame of the batch of `cpu` onto the LRU."""
    queued, state.batches[cpu] = state.batches[cpu], []
    for frame in queued:
        frame.batch = None
        put(state, frame)


def enter_swap_cache(state: State, frame: Frame, slot: Slot) -> None:
    """Put a frame into the swap cache."""
    frame.slot, slot.frame = slot, frame
    frame.refcount += 1


def new_slot(state: State) -> Slot:
    """Take a free swap slot."""
    state.slots_made += 1
    slot = state.slots[state.slots_made] = Slot(state.slots_made, None)
    return slot


def leave_swap_cache(state: State, frame: Frame) -> None:
    """Take a frame out of the swap cache; the slot keeps its content, or is free if nobody names it."""
    slot = frame.slot
    assert slot is not None
    slot.frame, slot.content = None, frame.token
    frame.slot, frame.writeback = None, False
    free_slot_if_unused(state, slot)
    put(state, frame)


def free_slot_if_unused(state: State, slot: Slot) -> None:
    """A slot lives while an entry names it or a frame in the swap cache holds it."""
    if not slot.sharers and slot.frame is None:
        del state.slots[slot.number]


def free_swap(state: State, frame: Frame) -> None:
    """try_to_free_swap() by somebody who has the page lock."""
    if frame.slot is not None and not frame.writeback and not frame.slot.sharers:
        leave_swap_cache(state, frame)


def free_swap_if_idle(state: State, frame: Frame) -> None:
    """Trylock and free_swap for a frame that nobody maps any more."""
    if not frame.mappers and not frame.locked:
        free_swap(state, frame)


def map_frame(frame: Frame, process: Process) -> None:
    """Note a mapping whose count the caller already holds."""
    frame.mappers.add(process.number)


def unmap(state: State, frame: Frame, process: Process) -> None:
    """Drop a mapping and its count."""
    frame.mappers.remove(process.number)
    put(state, frame)


def drop_swap_entry(state: State, slot: Slot, process: Process) -> None:
    """The swap entry of `process` goes away."""
    slot.sharers.remove(process.number)
    free_slot_if_unused(state, slot)
