"""fork: the walk over the parent's page table (copy_page_range, copy_present_pte)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from cowbench.ledger import ForkCounts
from cowbench.rules import GUP_PIN_COUNTING_BIAS
from cowbench.simulated import locks
from cowbench.simulated.booking import tell
from cowbench.simulated.earlycopy import Candidates, EarlyCopies
from cowbench.simulated.frames import IntArray, numbers
from cowbench.simulated.memory import Memory, ask, look, truth
from cowbench.simulated.process import ProcessState, distinct_pages, mapped_frames
from cowbench.simulated.words import EXCLUSIVE, KEEP, NUMBER, PRESENT, WRITE, ZERO_PAGE
from cowbench.views import Columns, ForkPages, Truth

DENSE_PAGES = 4096
DENSE_SHARE = 16
"""Processes that map fewer pages, or less than a sixteenth of the frames in use, share by scattering."""
DENSE_BLOCK = 1 << 18
CROWD = 900
"""From this many live processes on, mappings alone may make a page look pinned."""


class Walk:
    """One fork under way: pages below `at` are walked; `failed` once an early copy failed fork.

    `held` returns the sorted pages at which live references were taken; `live` is the number of live processes.
    """

    def __init__(
        self,
        memory: Memory,
        parent: ProcessState,
        child: ProcessState,
        fail_at: int | None,
        held: Callable[[], IntArray],
        live: int,
    ) -> None:
        self.memory, self.parent, self.child = memory, parent, child
        self.early = EarlyCopies(memory, parent, child, fail_at)
        self.at, self.failed = 0, False
        self.end = len(parent.words)
        self._held = held if live < CROWD else lambda: np.arange(self.end)
        self._ptes = self._swap_ptes = 0
        self._used = locks.used(parent.words)
        self._tried: list[IntArray] = []
        self._copied: list[npt.NDArray[np.bool_]] = []
        self._skip = parent.dontfork if parent.dontfork is not None and parent.dontfork.any() else None
        child.words = memory.rows.words(self.end)
        child.marks = None if parent.marks is None else np.zeros(self.end, np.uint8)

    def decide(self, stop: int) -> Candidates:
        """Return the pages not yet walked, up to `stop`, that the policy wants copied for the child at once."""
        memory, parent = self.memory, self.parent
        scan = memory.policy.early_scan(parent.space.mm)
        if scan == "nothing" or self.at >= stop:
            return Candidates(np.zeros(0, np.intp), np.zeros(0, np.intp))
        pages = np.arange(self.at, stop) if scan == "all" else self._held()
        pages = pages[(pages >= self.at) & (pages < stop)]
        if self._skip is not None:
            pages = pages[~self._skip[pages]]
        words = parent.words[pages]
        present = ((words & PRESENT) != 0) & (words & NUMBER != 0)
        if present.all():
            chosen, refcount = self._ask(pages, words)
            return Candidates(pages.compress(chosen), refcount.compress(chosen))
        chosen = np.zeros(len(pages), np.bool_)
        refcount = np.zeros(len(pages), np.int32)
        chosen[present], refcount[present] = self._ask(pages[present], words[present])
        if memory.policy.copies_swap_entries:
            chosen |= ((words & PRESENT) == 0) & (words != 0)
        return Candidates(pages[chosen], refcount[chosen])

    def _ask(
        self, pages: IntArray, words: npt.NDArray[np.uint32]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
        memory, parent = self.memory, self.parent
        frames = (words & NUMBER).astype(np.intp)
        seen = look(memory, parent.cpu, frames, (words & EXCLUSIVE) != 0)
        facts = truth(memory, seen.mapcount > 1, parent.leads(pages) > 0) if memory.policy.sees_truth else None
        return ask(memory.policy.copy_early, self._view(frames, seen, facts)), seen.refcount

    def _view(self, frames: IntArray, seen: Columns, facts: Truth | None) -> ForkPages:
        columns = self.memory.frames
        # A pin counts 1024 in `extra` and 1 in `owners`, a get 1 in both; swap cache, LRU batch and stage are few.
        return ForkPages(
            seen,
            self.parent.space.mm,
            lambda: (columns.extra[frames] - columns.owners[frames].astype(np.int32)) // (GUP_PIN_COUNTING_BIAS - 1),
            facts,
        )

    def advance(self, stop: int, chosen: Candidates) -> bool:
        """Walk on to `stop`: copy the chosen pages, share the rest. False: an early copy failed fork on the way."""
        runs, failed = self.early.allocate(len(chosen.pages))
        if failed is not None:
            self.failed = True
            stop = int(chosen.pages[failed])
            self.child.words[stop:] = 0
        index = [np.arange(first, first + len(numbers(new))) for first, new in runs]
        served = np.concatenate(index) if index else np.zeros(0, np.intp)
        copied = Candidates(chosen.pages[served], chosen.refcount[served])
        self._remember(chosen.pages, served, failed)
        self._share(stop, copied.pages)
        if runs:
            new = runs[0][1] if len(runs) == 1 else np.concatenate([numbers(frames) for _, frames in runs])
            self.early.fill(copied, new)
            if self.child.own is not None:
                self.child.own[new] = 1
        self.at = stop
        return not self.failed

    def _remember(self, chosen: IntArray, served: IntArray, failed: int | None) -> None:
        """Keep which early copies were tried, and which of them got a frame."""
        tried = chosen if failed is None else chosen[: failed + 1]
        if len(tried):
            copied = np.zeros(len(tried), np.bool_)
            copied[served] = True
            self._tried.append(tried)
            self._copied.append(copied)

    def share_rest(self) -> None:
        """Walk to the end and copy nothing."""
        self._share(self.end, np.zeros(0, np.intp))

    def _share(self, stop: int, copied: IntArray) -> None:
        """Share the pages up to `stop` with the child, but for the copied ones and those marked MADV_DONTFORK."""
        parent, child = self.parent, self.child
        segment = slice(self.at, stop)
        spared = copied
        if self._skip is not None:
            spared = np.concatenate((copied, np.flatnonzero(self._skip[segment]) + self.at))
        kept = parent.words[spared]
        whole = self.at == 0 and stop == self.end and self._skip is None
        self._count_entries(segment, whole)
        for start in range(segment.start, segment.stop, DENSE_BLOCK):
            block = slice(start, min(start + DENSE_BLOCK, segment.stop))
            np.bitwise_and(parent.words[block], KEEP, out=parent.words[block])
            child.words[block] = parent.words[block]
        child.words[spared] = 0
        if parent.marks is not None and child.marks is not None:
            child.marks[segment] = parent.marks[segment]
            child.marks[spared] = 0
        if whole and self._dense():
            self._map_dense(mapped_frames(kept))
        else:
            frames = mapped_frames(child.words[segment])
            self.memory.frames.map[frames] += np.uint16(1)
        self._share_swapped(segment)
        self._count_child(segment, whole, kept)
        if self.memory.flags.freeze_writers:
            kept[: len(copied)] &= ~WRITE
        parent.words[spared] = kept

    def _count_entries(self, segment: slice, whole: bool) -> None:
        parent = self.parent
        if whole:
            self._ptes, self._swap_ptes = parent.present + parent.zero_pages, parent.swapped
            return
        words = parent.words[segment] if self._skip is None else parent.words[segment][~self._skip[segment]]
        present = int(np.count_nonzero(words & PRESENT))
        self._ptes += present
        self._swap_ptes += int(np.count_nonzero(words)) - present

    def _count_child(self, segment: slice, whole: bool, spared: npt.NDArray[np.uint32]) -> None:
        parent, child = self.parent, self.child
        if whole:
            swapped = int(np.count_nonzero(spared != 0) - np.count_nonzero(spared & PRESENT))
            child.present += parent.present - (len(spared) - swapped)
            child.zero_pages, child.swapped = parent.zero_pages, parent.swapped - swapped
            return
        words = child.words[segment]
        present = int(np.count_nonzero(words & PRESENT))
        zeros = int(np.count_nonzero(words == ZERO_PAGE))
        child.present += present - zeros
        child.zero_pages += zeros
        child.swapped += int(np.count_nonzero(words)) - present

    def _dense(self) -> bool:
        """Return whether the parent keeps a frame-side table of what it maps, making one if that pays."""
        parent, frames = self.parent, self.memory.frames
        if parent.own is None and parent.present >= max(DENSE_PAGES, frames.high // DENSE_SHARE):
            parent.own = self.memory.rows.own()
            parent.own[: frames.high] = 0
            for start in range(0, self.end, DENSE_BLOCK):
                parent.own[mapped_frames(self.child.words[start : start + DENSE_BLOCK])] = 1
        return parent.own is not None

    def _map_dense(self, copied: IntArray) -> None:
        """Count one more mapping of all that the parent maps, in frame order: map += own."""
        columns, own = self.memory.frames, self.parent.own
        assert own is not None
        own[copied] = 1
        self.child.own = child_own = self.memory.rows.own()
        for start in range(0, columns.high, DENSE_BLOCK):
            block = slice(start, min(start + DENSE_BLOCK, columns.high))
            child_own[block] = own[block]
            np.add(columns.map[block], own[block], out=columns.map[block])
        columns.map[copied] -= np.uint16(1)
        child_own[copied] = 0

    def _share_swapped(self, segment: slice) -> None:
        if self.parent.swapped:
            words = self.child.words[segment]
            slots = words[((words & PRESENT) == 0) & (words != 0)] & NUMBER
            self.memory.slots.count[slots] += 1

    def book(self) -> None:
        """Book what this fork did."""
        early = self.early
        if self._tried:
            self._book_holds()
        counts = ForkCounts(self._ptes, self._swap_ptes, early.made, early.attempts, early.lock_drops, self.failed)
        self.memory.ledger.forks.append(counts)
        if not self.failed:
            missed = self._missed()
            self.memory.ledger.missed_early_copies += len(missed)
            tell(self.memory, "missed_early_copies", self.parent.handle, missed)

    def _book_holds(self) -> None:
        count = locks.atomic if self.early.atomic else locks.sleeping
        end = self.at if self.failed else self._used
        holds = self.memory.ledger.lock_holds
        for hold, times in count(np.concatenate(self._tried), np.concatenate(self._copied), end).items():
            holds[hold] = holds.get(hold, 0) + times

    def _missed(self) -> IntArray:
        """Return the pages that are shared with the child though the parent holds a coherent reference to them."""
        parent, child = self.parent, self.child
        if parent.leading is None or not parent.held:
            return np.zeros(0, np.intp)
        here = [r.pages for r in parent.held.values() if r.coherent and r.space is parent.space]
        pages = distinct_pages(here)
        mine, theirs = parent.words.take(pages), child.words.take(pages)
        same = np.flatnonzero(((mine ^ theirs) & (PRESENT | NUMBER)) == 0)
        pages, mine = pages[same], mine[same]
        present = (mine & PRESENT) != 0
        cached = self.memory.slots.frame[np.where(present, 0, mine & NUMBER)] != 0
        kept = np.where(present, (mine & NUMBER) != 0, cached)
        return pages[kept & (parent.leads(pages) > 0)]
