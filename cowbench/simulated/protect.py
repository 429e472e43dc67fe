"""protect (mprotect read-only and back) and the states that only a simulation can stage."""

from __future__ import annotations

import numpy as np

from cowbench.errors import ProgramError
from cowbench.machine import PageState
from cowbench.simulated.frames import LOCKED, LOOK, SPECULATIVE, SWAP_CACHE, WRITEBACK, IntArray
from cowbench.simulated.memory import Memory
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import CLEAN, EXCLUSIVE, NUMBER, PRESENT, TRACKED, WRITE


def protect(memory: Memory, process: ProcessState, pages: IntArray | slice, tracked: bool) -> None:
    """Write-protect entries; from 6.1 on exclusive pages become writable again at once (can_change_pte_writable)."""
    words = process.words[pages] & ~WRITE
    if tracked:
        process.side_marks()[pages] |= np.where(words != 0, TRACKED, np.uint8(0))
    rule = memory.flags.mprotect_maps_writable
    if rule != "never":
        eligible = ((words & EXCLUSIVE) != 0) & ((words & PRESENT) != 0)
        if process.marks is not None:
            bars = TRACKED | CLEAN if rule == "dirty" else TRACKED
            eligible &= (process.marks[pages] & bars) == 0
        words |= np.where(eligible, WRITE, np.uint32(0))
    process.words[pages] = words


def stage(memory: Memory, process: ProcessState, pages: IntArray, state: PageState, on: bool) -> None:
    """Set or clear a state on the frames that `pages` (no duplicates) lead to."""
    bits = {"locked": LOCKED, "speculative": SPECULATIVE, "writeback": WRITEBACK}
    if state not in bits:
        raise ProgramError(f"stage: unknown state '{state}'; known: {', '.join(bits)}")
    columns, bit = memory.frames, bits[state]
    words = process.words[pages]
    number = (words & NUMBER).astype(np.intp)
    swapped = ((words & PRESENT) == 0) & (words != 0)
    number[swapped] = memory.slots.frame[number[swapped]]
    frames = number[number != 0]
    if state == "writeback" and on:
        frames = frames[(columns.state[frames] & SWAP_CACHE) != 0]
    frames = frames[((columns.state[frames] & bit) != 0) != on]
    columns.odd = True
    if on:
        columns.state[frames] |= bit
        columns.map[frames] |= LOOK
    else:
        columns.state[frames] &= ~bit
    if state == "speculative":
        columns.extra[frames] += np.int32(1 if on else -1)
    if not on:
        columns.look_again(frames)
        columns.release_idle(frames)
