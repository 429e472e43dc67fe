"""Quiet forks: the sharing is put off until somebody looks, because many children are gone before anybody does.

A fork that copies nothing early only counts mappings and write-protects. If nothing at all happens before its child
exits, the counts cancel out, and only the parent's entries are left to be write-protected. At most one fork is put off;
every other operation settles it first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cowbench.ledger import ForkCounts
from cowbench.simulated.fork import CROWD, Walk
from cowbench.simulated.frames import IntArray
from cowbench.simulated.memory import Memory
from cowbench.simulated.process import AddressSpace, ProcessState
from cowbench.simulated.words import KEEP
from cowbench.simulated.zap import drain_on_zap


@dataclass
class QuietFork:
    """A fork put off. child: None once it is gone; then only write-protection is left to do."""

    parent: ProcessState
    child: ProcessState | None


def can_wait(
    memory: Memory, pending: QuietFork | None, parent: ProcessState, held: Callable[[], IntArray], live: int
) -> bool:
    """Return whether a plain fork may be put off; pages `held` have live references, `live` processes run."""
    if pending is not None and (pending.child is not None or pending.parent is not parent):
        return False
    if parent.own is None or parent.swapped or parent.leading is not None or parent.dontfork is not None:
        return False
    scan = memory.policy.early_scan(parent.space.mm)
    return scan == "nothing" or (scan == "referenced" and live < CROWD and not len(held()))


def put_off(memory: Memory, parent: ProcessState, child: ProcessState) -> QuietFork:
    """Fork without touching a page; the ledger has it at once."""
    child.present, child.zero_pages = parent.present, parent.zero_pages
    ptes = parent.present + parent.zero_pages
    memory.ledger.forks.append(ForkCounts(ptes, 0, 0, 0, 0, failed=False))
    return QuietFork(parent, child)


def cancel(memory: Memory, pending: QuietFork, child: ProcessState) -> None:
    """The child exits or execs before anything happened."""
    drain_on_zap(memory, child)
    memory.ledger.zapped += child.present
    child.forget_memory()
    child.space = AddressSpace()
    pending.child = None


def settle(memory: Memory, pending: QuietFork) -> None:
    """Do what was put off."""
    parent, child = pending.parent, pending.child
    if child is None:
        np.bitwise_and(parent.words, KEEP, out=parent.words)
        return
    child.present = child.zero_pages = 0
    Walk(memory, parent, child, None, lambda: np.zeros(0, np.intp), 0).share_rest()
