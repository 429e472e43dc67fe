"""A simulated process: its page table, its memory about pins, and what truth needs to know of its references."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cowbench.simulated.frames import IntArray
from cowbench.simulated.words import NUMBER, PRESENT
from cowbench.views import Mm

PIN, GET, DOCUMENTED = range(3)
"""Classes of coherent references, rows of `leading`."""


@dataclass
class AddressSpace:
    """What dies with an exec: the policy's memory, and how many FOLL_PINs taken here are live."""

    mm: Mm = field(default_factory=Mm)
    live_pins: int = 0


@dataclass
class ReferenceState:
    """A live reference: one element a page taken, none twice if `distinct`. frames: 0 for the zero page."""

    owner: ProcessState
    space: AddressSpace
    pages: IntArray
    frames: IntArray
    pin: bool
    write: bool
    longterm: bool
    coherent: bool
    distinct: bool
    zero_leads: npt.NDArray[np.bool_] | None = None
    """For elements on the zero page, which is the same frame for every page: does the owner's page still lead there."""

    def row(self, zero_page: bool) -> int:
        """Return the class that an element of this reference counts in."""
        if not self.pin:
            return GET
        return DOCUMENTED if zero_page and not self.write and not self.longterm else PIN


class ProcessState:
    """A process that is or was alive, or was never born.

    words: uint32 page table. own: uint8 per frame, set where this process maps it; only large processes that forked
    have it. marks: uint8 per page (CLEAN, TRACKED) or None. dontfork: bool per page or None. references: uint32 per
    frame, live references this process owns. leading: uint32 (class, page), coherent references that its page leads to.
    """

    def __init__(self, handle: int, cpu: int, memcg: int, alive: bool = True) -> None:
        self.handle, self.cpu, self.memcg, self.alive = handle, cpu, memcg, alive
        self.born = alive
        self.space = AddressSpace()
        self.words: npt.NDArray[np.uint32] = np.zeros(0, np.uint32)
        self.own: npt.NDArray[np.uint8] | None = None
        self.marks: npt.NDArray[np.uint8] | None = None
        self.dontfork: npt.NDArray[np.bool_] | None = None
        self.references: npt.NDArray[np.uint32] = np.zeros(0, np.uint32)
        self.leading: npt.NDArray[np.uint32] | None = None
        self.held: dict[int, ReferenceState] = {}
        self.present = self.zero_pages = self.swapped = 0

    def reach(self, stop: int) -> None:
        """Make the page table cover pages below `stop`."""
        size = len(self.words)
        if stop <= size:
            return
        more = max(stop, 2 * size, 512) - size
        self.words = np.concatenate((self.words, np.zeros(more, np.uint32))) if size else np.zeros(more, np.uint32)
        if self.marks is not None:
            self.marks = np.concatenate((self.marks, np.zeros(more, np.uint8)))
        if self.dontfork is not None:
            self.dontfork = np.concatenate((self.dontfork, np.zeros(more, np.bool_)))
        if self.leading is not None:
            self.leading = np.concatenate((self.leading, np.zeros((3, more), np.uint32)), axis=1)

    def side_marks(self) -> npt.NDArray[np.uint8]:
        """Return the side table of rare bits, made on first use."""
        if self.marks is None:
            self.marks = np.zeros(len(self.words), np.uint8)
        return self.marks

    def owned(self, frames: IntArray) -> npt.NDArray[np.uint32]:
        """Return how many live references of this process each frame has."""
        if not len(self.references):
            return np.zeros(len(frames), np.uint32)
        inside = frames < len(self.references)
        return self.references[np.where(inside, frames, 0)] * inside

    def leads(self, page: IntArray) -> npt.NDArray[np.uint32]:
        """Return how many coherent references each page leads to."""
        if self.leading is None:
            return np.zeros(len(page), np.uint32)
        pins, gets, documented = (row.take(page) for row in self.leading)
        return pins + gets + documented

    def part_from(self, pages: IntArray) -> npt.NDArray[np.uint32] | None:
        """End the lead of `pages` (no duplicates) to all references; return per class how many were coherent."""
        if self.leading is None or not len(pages):
            return None
        pages = pages[self.leads(pages) != 0]
        if not len(pages):
            return None
        parted: npt.NDArray[np.uint32] = self.leading[:, pages].sum(axis=1, dtype=np.uint32)
        self.leading[:, pages] = 0
        for reference in self.held.values():
            if reference.zero_leads is not None:
                reference.zero_leads &= ~np.isin(reference.pages, pages)
        return parted

    def forget_memory(self) -> None:
        """Drop the address space; references stay owned."""
        self.words = np.zeros(0, np.uint32)
        self.own = self.marks = self.dontfork = self.leading = None
        for reference in self.held.values():
            reference.zero_leads = None
        self.present = self.zero_pages = self.swapped = 0


def mapped_frames(words: npt.NDArray[np.uint32]) -> IntArray:
    """Return the frames that present entries of `words` map, the zero page left out."""
    frames = words[(words & PRESENT) != 0] & NUMBER
    return frames[frames != 0]


def distinct_pages(batches: list[IntArray]) -> IntArray:
    """Return all pages of some batches, ascending, each once."""
    if not batches:
        return np.empty(0, np.intp)
    pages = np.sort(np.concatenate(batches), kind="stable")  # merges batches that ascend
    first = np.ones(len(pages), np.bool_)
    np.not_equal(pages[1:], pages[:-1], out=first[1:])
    return pages if first.all() else pages.compress(first)
