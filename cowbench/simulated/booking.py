"""Booking the truth: needed and needless copies, their causes, lost references, leaks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cowbench.machine import Pages
from cowbench.simulated.frames import SPECULATIVE, IntArray
from cowbench.simulated.memory import Memory, look, observed
from cowbench.simulated.plan import PresentPart
from cowbench.simulated.process import DOCUMENTED, GET, PIN, ProcessState, ReferenceState
from cowbench.simulated.words import EXCLUSIVE, NUMBER, PRESENT
from cowbench.views import Mask


def book_copies(
    memory: Memory, process: ProcessState, site: str, frames: IntArray, part: PresentPart, which: IntArray | None
) -> None:
    """Book the copies that `process` takes of the first `frames` of `part`, those at `which` (None: all), before."""
    ledger, count = memory.ledger, len(frames)
    ledger.copies[site] += count if which is None else len(which)
    fine = part.shared[:count] if which is None else part.shared[:count] | part.reuse[:count]
    if fine.all():
        return
    needless = np.flatnonzero(~fine)
    ledger.false_positives[site] += len(needless)
    _book_causes(memory, process, frames[needless], part, needless)


def _book_causes(memory: Memory, process: ProcessState, frames: IntArray, part: PresentPart, which: IntArray) -> None:
    """Book why pages were copied that nobody else observed: the first cause that applies, after the rule's actions."""
    seen, stable = part.seen, memory.config.stable_writes
    on_lru = seen.on_lru[which]
    tests: tuple[tuple[str, npt.NDArray[np.bool_]], ...] = (
        ("lock", part.view.refused[which]),
        ("own_reference", process.owned(frames) > 0),
        ("writeback_device" if stable else "writeback", seen.writeback[which]),
        ("swap_cache", seen.in_swap_cache[which]),
        ("lru_batch_local", ~on_lru & seen.local[which]),
        ("lru_batch_remote", ~on_lru),
        ("speculative", (memory.frames.state[frames] & SPECULATIVE) != 0),
    )
    open_ = np.ones(len(which), np.bool_)
    for cause, applies in tests:
        hit = open_ & applies
        memory.ledger.causes[cause] += int(np.count_nonzero(hit))
        open_ &= ~applies
    memory.ledger.causes["policy"] += int(np.count_nonzero(open_))


def lose(memory: Memory, process: ProcessState, pages: IntArray) -> None:
    """Book the coherent references of `process` that its `pages` stop leading to, not by its own doing."""
    parted = process.part_from(pages)
    if parted is not None:
        memory.ledger.lost_pins += int(parted[PIN])
        memory.ledger.lost_gets += int(parted[GET])
        memory.ledger.lost_pins_documented += int(parted[DOCUMENTED])


def count_leaks(memory: Memory, process: ProcessState, pages: Pages) -> None:
    """Book the writes of `process` to its (writable) `pages`, duplicates included, that landed under an observer."""
    if not memory.tainted:
        return
    words = process.words[np.asarray(pages, np.intp)]
    frames = (words & NUMBER).astype(np.intp)
    seen = look(memory, process.cpu, frames, (words & EXCLUSIVE) != 0)
    memory.ledger.leaks += int(np.count_nonzero(observed(memory, process, frames, seen)))


def observed_besides_owner(memory: Memory, reference: ReferenceState) -> Mask:
    """Return which frames of a reference, one an element, somebody other than its owner observes."""
    owner, frames = reference.owner, reference.frames
    seen = look(memory, owner.cpu, frames, np.zeros(len(frames), np.bool_))
    words = np.zeros(len(frames), np.uint32)
    if owner.alive and reference.space is owner.space:
        words = owner.words[reference.pages]
    present = (words & PRESENT) != 0
    maps = present & ((words & NUMBER) == frames)
    swapped = seen.in_swap_cache & ~present & (words != 0) & ((words & NUMBER) == memory.frames.slot[frames])
    others: Mask = memory.frames.owners[frames] > owner.owned(frames)
    return others | (seen.mapcount > maps) | (seen.swap_count > swapped)
