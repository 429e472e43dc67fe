"""page_out: MADV_PAGEOUT down to the swap cache or past it (madvise.c, vmscan.c:shrink_page_list)."""

from __future__ import annotations

import numpy as np

from cowbench.rules import GUP_PIN_COUNTING_BIAS
from cowbench.simulated.frames import BATCHED, COUNT, LOCKED, SWAP_CACHE, WRITEBACK, IntArray
from cowbench.simulated.memory import Memory
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import CLEAN, EXCLUSIVE, NUMBER, PRESENT


def page_out(memory: Memory, process: ProcessState, pages: IntArray, drop: bool) -> None:
    """Reclaim the pages (no duplicates) of a process that nobody else maps."""
    memory.batches.drain(process.cpu)
    frames = memory.frames
    words = process.words[pages]
    numbers = np.where((words & PRESENT) != 0, words & NUMBER, 0).astype(np.intp)
    state = frames.state[numbers]
    wanted = (numbers != 0) & ((frames.map[numbers] & COUNT) == 1) & ((state & BATCHED) == 0)
    if memory.policy.sees_truth:
        wanted &= frames.coherent[numbers] == 0
    pages, words, numbers, state = pages[wanted], words[wanted], numbers[wanted], state[wanted]
    extra = frames.extra[numbers]
    leaving = (state & (LOCKED | WRITEBACK)) == 0
    uncached = (state & SWAP_CACHE) == 0
    if memory.flags.reclaim_refuses_pins:
        leaving &= ~uncached | (extra + 2 < GUP_PIN_COUNTING_BIAS)
    if memory.flags.reclaim_refuses_references:
        leaving &= extra == ~uncached
    added = numbers[leaving & uncached]
    memory.slots.cache(memory.slots.allocate(len(added)), added)
    if memory.flags.anon_exclusive:
        pinned = extra + uncached + 2 >= GUP_PIN_COUNTING_BIAS
        leaving &= ((words & EXCLUSIVE) == 0) | ~pinned
    _unmap(memory, process, pages[leaving], words[leaving], numbers[leaving])
    dropped = leaving & (frames.extra[numbers] == 1)
    if not (drop or memory.config.swap == "synchronous"):
        dropped[:] = False
    gone = numbers[dropped]
    memory.slots.content[frames.slot[gone]] = frames.token[gone]
    memory.slots.uncache(gone)
    frames.release_idle(gone)
    memory.batches.enter(process.cpu, numbers[~dropped])
    memory.batches.mark(process.cpu)


def _unmap(memory: Memory, process: ProcessState, pages: IntArray, words: IntArray, numbers: IntArray) -> None:
    slots = memory.frames.slot[numbers]
    process.words[pages] = slots | (words & EXCLUSIVE)
    memory.slots.count[slots] += 1
    memory.frames.map[numbers] -= np.uint16(1)
    if process.own is not None:
        process.own[numbers] = 0
    if process.marks is not None:
        process.marks[pages] &= ~CLEAN
    process.present -= len(pages)
    process.swapped += len(pages)
    memory.ledger.paged_out += len(pages)
