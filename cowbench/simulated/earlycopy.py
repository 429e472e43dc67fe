"""Early copies at fork: allocating frames for the child, who pays, and what a failure does (copy_present_page)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from cowbench.policy import EarlyCopyPolicy
from cowbench.rules import GUP_PIN_COUNTING_BIAS
from cowbench.simulated.booking import tell
from cowbench.simulated.frames import IntArray, Selection, numbers
from cowbench.simulated.memory import Memory
from cowbench.simulated.process import ProcessState
from cowbench.simulated.words import EXCLUSIVE, NUMBER, PRESENT, WRITE


@dataclass
class Candidates:
    """Pages that the policy wants copied, in order. refcount: as fork found it, 0 for swap entries."""

    pages: IntArray
    refcount: IntArray


@dataclass
class EarlyCopies:
    """The early copies of one fork. attempts: allocations so far. made: frames copied. lock_drops: see ForkCounts."""

    memory: Memory
    parent: ProcessState
    child: ProcessState
    fail_at: int | None
    attempts: int = 0
    made: int = 0
    lock_drops: int = 0
    reserve: int = field(init=False)
    payer: int = field(init=False)
    choices: EarlyCopyPolicy | None = field(init=False)

    def __post_init__(self) -> None:
        policy = self.memory.policy
        self.choices = policy if isinstance(policy, EarlyCopyPolicy) else None
        self.reserve = self.memory.config.atomic_reserve
        child_pays = self.choices is not None and self.choices.charge == "child"
        self.payer = self.child.memcg if child_pays else self.parent.memcg

    def allocate(self, wanted: int) -> tuple[list[tuple[int, Selection]], int | None]:
        """Allocate up to `wanted` frames in order, each entering the LRU batch.

        Returns runs (index of the first page served, its frames) and, if the fork must fail, the index at which.
        """
        runs: list[tuple[int, Selection]] = []
        index = 0
        while index < wanted:
            count = min(wanted - index, self._room())
            if count:
                runs.append((index, self._take(count)))
                index += count
                continue
            self._attempt(1)
            if self.choices is None or self.choices.on_failure == "fail":
                return runs, index
            index += 1
            if self.attempts != self.fail_at:
                self._attempt(wanted - index)  # nothing changes any more: the rest fails too
                break
        return runs, None

    def _room(self) -> int:
        room = self.memory.frames.room(self.payer)
        if self.atomic:
            room = min(room, self.reserve)
        if self.fail_at is not None and self.fail_at > self.attempts:
            room = min(room, self.fail_at - self.attempts - 1)
        return room

    @property
    def atomic(self) -> bool:
        """Whether frames are asked for under the page-table lock."""
        return self.choices is not None and self.choices.gfp == "atomic"

    def _attempt(self, count: int) -> None:
        self.attempts += count
        if not self.atomic:
            self.lock_drops += count

    def _take(self, count: int) -> Selection:
        memory = self.memory
        frames = memory.frames
        used, held = frames.used, len(memory.batches.held[self.parent.cpu])
        new = frames.allocate(count, self.payer)
        flushed = len(memory.batches.enter(self.parent.cpu, new))
        memory.batches.mark(self.parent.cpu)
        before_flush = used + memory.batches.size - held if flushed else 0
        frames.peak = max(frames.peak, before_flush, used + count - flushed)
        self._attempt(count)
        self.reserve -= count
        self.made += count
        return new

    def fill(self, chosen: Candidates, new: Selection) -> None:
        """Copy the parent's pages into the child's new frames, and book them. The child's entries are written."""
        memory, parent, child = self.memory, self.parent, self.child
        exclusive = EXCLUSIVE if memory.flags.anon_exclusive else np.uint32(0)
        words = parent.words[chosen.pages]
        sources = (words & NUMBER).astype(np.intp)
        swapped = (words & PRESENT) == 0
        memory.frames.token[new] = memory.frames.token[np.where(swapped, 0, sources)]
        if swapped.any():
            slots = sources[swapped]
            cached = memory.slots.frame[slots]
            content = np.where(cached != 0, memory.frames.token[cached], memory.slots.content[slots])
            memory.frames.token[numbers(new)[swapped]] = content
        child.words[chosen.pages] = numbers(new) | (PRESENT | WRITE | exclusive)
        child.present += len(chosen.pages)
        if child.marks is not None:
            child.marks[chosen.pages] = 0
        self._book(chosen)

    def _book(self, chosen: Candidates) -> None:
        ledger, parent = self.memory.ledger, self.parent
        count = len(chosen.pages)
        ledger.copies["fork"] += count
        tell(self.memory, "copies", self.child.handle, chosen.pages, "fork")
        if self.choices is not None and self.choices.charge == "child":
            ledger.charged_child += count
        else:
            ledger.charged_parent += count
        needless = parent.leads(chosen.pages) == 0
        total = int(np.count_nonzero(needless))
        if not total:
            return
        looks_pinned = needless & (chosen.refcount >= GUP_PIN_COUNTING_BIAS - 1)
        biased = int(np.count_nonzero(looks_pinned))
        mm = parent.space.mm
        cause = (
            "bias_overflow" if parent.space.live_pins else "sticky_bit" if mm.has_pinned or mm.pins > 0 else "policy"
        )
        ledger.false_positives["fork"] += total
        ledger.causes[cause] += biased
        ledger.causes["policy"] += total - biased
        for why, pages in ((cause, chosen.pages[looks_pinned]), ("policy", chosen.pages[needless & ~looks_pinned])):
            tell(self.memory, "false_positive_copies", self.child.handle, pages, "fork", why)
