"""exit, exec and discard: entries go, frames follow when nobody else holds them."""

from __future__ import annotations

from collections.abc import Iterable

from tests.twin import truth
from tests.twin.memory import drain, drop_swap_entry, free_swap_if_idle, put
from tests.twin.state import Process, State


def zap(state: State, process: Process, pages: Iterable[int]) -> None:
    """Remove the entries of these pages; kernels up to 6.13 drain the local batch first."""
    if state.policy.exit_drains:
        drain(state, process.cpu)
    gathered = []
    for page in pages:
        entry = process.mm.pages.pop(page, None)
        if entry is None:
            continue
        truth.stop_leading(state, process, page, lost=False)
        if entry.slot is not None:
            cached = entry.slot.frame
            drop_swap_entry(state, entry.slot, process)
            if cached is not None:
                free_swap_if_idle(state, cached)
        elif entry.frame is not None:
            entry.frame.mappers.remove(process.number)
            gathered.append(entry.frame)
    for frame in gathered:  # the flush of the gather: the mapping's count goes last
        free_swap_if_idle(state, frame)
        put(state, frame)
    state.ledger.zapped += len(gathered)
