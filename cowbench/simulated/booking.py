"""Booking the truth: needed and needless copies, their causes, lost references, leaks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cowbench.ledger import CAUSES, Event, EventKind
from cowbench.machine import Pages
from cowbench.simulated.frames import SPECULATIVE, IntArray
from cowbench.simulated.memory import Memory, look, observed
from cowbench.simulated.plan import PresentPart
from cowbench.simulated.process import DOCUMENTED, GET, PIN, ProcessState, ReferenceState
from cowbench.simulated.words import EXCLUSIVE, NUMBER, PRESENT
from cowbench.views import Mask


def tell(memory: Memory, kind: EventKind, process: int, pages: IntArray, site: str = "", cause: str = "") -> None:
    """Tell whoever follows the trial what was booked; callers with pages to gather ask first whether anybody does.

    The pages told are the listener's own, for the caller's may be a workload's array that is used again.
    """
    if memory.listener is not None and len(pages):
        memory.listener(Event(kind, process, np.array(pages), site, cause))


def book_copies(
    memory: Memory,
    process: ProcessState,
    site: str,
    frames: IntArray,
    part: PresentPart,
    which: IntArray | None,
    pages: IntArray | None,
) -> None:
    """Book the copies that `process` takes of the first `frames` of `part`, those at `which` (None: all), before.

    pages: the pages that are copied; None if nobody follows.
    """
    ledger, count = memory.ledger, len(frames)
    ledger.copies[site] += count if which is None else len(which)
    if pages is not None:
        tell(memory, "copies", process.handle, pages, site)
    fine = part.shared[:count] if which is None else part.shared[:count] | part.reuse[:count]
    if fine.all():
        return
    needless = np.flatnonzero(~fine)
    ledger.false_positives[site] += len(needless)
    causes = _book_causes(memory, process, frames[needless], part, needless)
    if pages is not None:
        here = pages[needless if which is None else np.searchsorted(which, needless)]
        for cause in CAUSES:
            tell(memory, "false_positive_copies", process.handle, here[causes == CAUSES.index(cause)], site, cause)


def _book_causes(
    memory: Memory, process: ProcessState, frames: IntArray, part: PresentPart, which: IntArray
) -> npt.NDArray[np.uint8]:
    """Book why pages were copied that nobody else observed: the first cause that applies, after the rule's actions.

    Returns for each page the index of its cause in CAUSES.
    """
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
    causes = np.full(len(which), CAUSES.index("policy"), np.uint8)
    for cause, applies in reversed(tests):
        causes[applies] = CAUSES.index(cause)
    for cause, count in zip(CAUSES, np.bincount(causes, minlength=len(CAUSES)).tolist(), strict=True):
        memory.ledger.causes[cause] += count
    return causes


def lose(memory: Memory, process: ProcessState, pages: IntArray) -> None:
    """Book the coherent references of `process` that its `pages` stop leading to, not by its own doing."""
    _tell_lost(memory, process, pages)
    parted = process.part_from(pages)
    if parted is not None:
        memory.ledger.lost_pins += int(parted[PIN])
        memory.ledger.lost_gets += int(parted[GET])
        memory.ledger.lost_pins_documented += int(parted[DOCUMENTED])


_LOST: dict[int, EventKind] = {PIN: "lost_pins", GET: "lost_gets", DOCUMENTED: "lost_pins_documented"}


def _tell_lost(memory: Memory, process: ProcessState, pages: IntArray) -> None:
    if memory.listener is not None and process.leading is not None:
        for row, kind in _LOST.items():
            tell(memory, kind, process.handle, np.repeat(pages, process.leading[row].take(pages)))


def count_leaks(memory: Memory, process: ProcessState, pages: Pages) -> None:
    """Book the writes of `process` to its (writable) `pages`, duplicates included, that landed under an observer."""
    if not memory.tainted:
        return
    words = process.words[pages.start : pages.stop] if isinstance(pages, range) else process.words[pages]
    frames = (words & NUMBER).astype(np.intp)
    seen = look(memory, process.cpu, frames, (words & EXCLUSIVE) != 0)
    book_leaks(memory, process, pages, observed(memory, process, frames, seen))


def book_leaks(memory: Memory, process: ProcessState, pages: Pages, leaks: Mask) -> None:
    """Book which writes to the pages of a process landed in a frame that somebody else observes."""
    memory.ledger.leaks += int(np.count_nonzero(leaks))
    if memory.listener is not None:
        tell(memory, "leaks", process.handle, np.asarray(pages, np.intp)[leaks])


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
