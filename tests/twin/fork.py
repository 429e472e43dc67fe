"""fork: the walk of the parent's page table, with what other threads do meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field

from cowbench.ledger import ForkCounts, LockHold
from tests.twin import truth
from tests.twin.interleave import Interleaving
from tests.twin.memory import allocate, map_frame
from tests.twin.state import PIN, Entry, Frame, NoFrame, Process, State
from tests.twin.zap import zap

TABLE = 512
"""Entries that one page-table lock covers."""


@dataclass
class Walk:
    """One fork in progress, and its counts so far."""

    state: State
    parent: Process
    child: Process
    fail_at: int | None
    ptes: int = 0
    swap_ptes: int = 0
    early_copies: int = 0
    allocations: int = 0
    tries: dict[int, bool] = field(default_factory=dict)
    """Pages at which an early copy was tried, and whether it got a frame."""

    def counts(self, failed: bool) -> ForkCounts:
        """Return the finished counts."""
        drops = self.allocations if self.state.policy.gfp == "sleep" else 0
        return ForkCounts(self.ptes, self.swap_ptes, self.early_copies, self.allocations, drops, failed)


def fork(state: State, parent: Process, child: Process, fail_at: int | None, others: Interleaving) -> None:
    """Build the child, or unwind it when an early copy finds no frame. `others` land on the way."""
    walk = Walk(state, parent, child, fail_at)
    used = max(parent.mm.pages, default=-1) + 1
    for page in sorted(set(parent.mm.pages) - parent.mm.dontfork):
        others.land_before(page)
        entry = parent.mm.pages[page]
        found = _refcount(entry)
        early = _wants_early_copy(state, parent, entry, found)
        others.land_at(page)
        if state.policy.early == "truth":  # an oracle decides at the last moment
            early = _wants_early_copy(state, parent, entry, found)
        if not _pass(walk, page, entry, found, early):
            _book_holds(walk, page)
            _unwind(walk)
            return
    others.land_rest()
    _book_holds(walk, used)
    state.ledger.forks.append(walk.counts(failed=False))
    state.ledger.torn_snapshots += others.torn(child)
    state.ledger.missed_early_copies += _missed(state, parent, child)


def _refcount(entry: Entry) -> int:
    """The count that the pin test would read; swap entries have none."""
    return entry.frame.refcount if entry.frame is not None else 0


def _wants_early_copy(state: State, parent: Process, entry: Entry, found: int) -> bool:
    early = state.policy.early
    if early == "all":
        return not entry.zero
    if entry.frame is None:
        return False
    if early == "truth":
        return truth.holds_coherent(state, parent.number, entry.frame)
    marked = parent.mm.has_pinned or parent.mm.pins > 0
    if early == "marked":
        return marked and found >= PIN
    if early == "marked_exclusive":  # fork's own count is already there
        return entry.exclusive and marked and found + 1 >= PIN
    if early == "marked_exactly":
        return marked and truth.pins(state, entry.frame) > 0
    return False


def _pass(walk: Walk, page: int, entry: Entry, found: int, early: bool) -> bool:
    """Give the child its entry; False: fork fails here."""
    if early:
        copy = _allocate(walk, entry)
        walk.tries[page] = copy is not None
        if copy is not None:
            _copy_early(walk, page, entry, found, copy)
        elif walk.state.policy.on_failure == "fail":
            return False
        else:
            _share(walk, page, entry)
    else:
        _share(walk, page, entry)
    if entry.slot is not None:
        walk.swap_ptes += 1
    else:
        walk.ptes += 1
    return True


def _share(walk: Walk, page: int, entry: Entry) -> None:
    child = walk.child
    if entry.frame is not None:
        entry.frame.refcount += 1
        map_frame(entry.frame, child)
    if entry.slot is not None:
        entry.slot.sharers.add(child.number)
    entry.write = entry.exclusive = False
    child.mm.pages[page] = Entry(entry.frame, entry.slot, dirty=entry.dirty, tracked=entry.tracked)


def _allocate(walk: Walk, entry: Entry) -> Frame | None:
    """One attempt to get a frame for an early copy; None: there is none."""
    state, policy = walk.state, walk.state.policy
    walk.allocations += 1
    reserve_empty = policy.gfp == "atomic" and walk.early_copies >= state.config.atomic_reserve
    if walk.allocations == walk.fail_at or reserve_empty:
        return None
    payer = walk.parent if policy.charge == "parent" else walk.child
    try:
        return allocate(state, entry.value(), payer.memcg, walk.parent.cpu)
    except NoFrame:
        return None


def _copy_early(walk: Walk, page: int, entry: Entry, found: int, copy: Frame) -> None:
    """Map the copy for the child. The parent's entry stays as it is, but for freeze_writers."""
    state = walk.state
    walk.early_copies += 1
    truth.book_copy(state, "fork", truth.judge_early_copy(state, walk.parent, entry.leads_to(), found))
    if state.policy.charge == "parent":
        state.ledger.charged_parent += 1
    else:
        state.ledger.charged_child += 1
    map_frame(copy, walk.child)
    walk.child.mm.pages[page] = Entry(copy, write=True, exclusive=state.policy.exclusive, dirty=True)
    if state.policy.freeze_writers:
        entry.write = False


def _book_holds(walk: Walk, end: int) -> None:
    """Book every hold of a page-table lock in tables where a copy was tried, entry by entry, up to `end`."""
    atomic = walk.state.policy.gfp == "atomic"
    for table in sorted({page // TABLE for page in walk.tries}):
        entries = copies = allocations = 0
        for page in range(TABLE * table, TABLE * (table + 1)):
            tried = page in walk.tries
            if tried and not atomic:  # dropped to allocate
                _book_hold(walk, entries, copies, 0)
                entries = copies = 0
            allocations += tried and atomic
            if page >= end:
                break
            copies += walk.tries.get(page, False)
            entries += 1
        if atomic or end not in walk.tries or end // TABLE != table:  # else the lock was not taken again
            _book_hold(walk, entries, copies, allocations)


def _book_hold(walk: Walk, entries: int, copies: int, allocations: int) -> None:
    holds = walk.state.ledger.lock_holds
    hold = LockHold(entries, copies, allocations)
    holds[hold] = holds.get(hold, 0) + 1


def _unwind(walk: Walk) -> None:
    """A failed fork: the child's entries go as at exit; the parent keeps what the walk changed."""
    zap(walk.state, walk.child, list(walk.child.mm.pages))
    walk.child.alive = walk.child.born = False
    walk.state.ledger.forks.append(walk.counts(failed=True))


def _missed(state: State, parent: Process, child: Process) -> int:
    """Count the pages shared with the child to which the parent holds a coherent reference."""
    missed = 0
    for page, entry in child.mm.pages.items():
        frame, mine = entry.leads_to(), parent.mm.pages[page]
        same = frame is mine.leads_to() and entry.slot is mine.slot
        missed += frame is not None and same and truth.holds_coherent(state, parent.number, frame)
    return missed
