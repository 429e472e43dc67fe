"""When a parent first writes each shared page after a fork, of a random sample of its pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cowbench.recorded.summary import Summary
from cowbench.recorded.watch import Mask, summarize

CELLS = 300_000
"""Pages times lives that are looked at: more would say little more."""
SLICES = 24
"""Stretches of a life that are told apart."""


@dataclass(frozen=True)
class FirstWrites:
    """First writes of the pages of one process in each of its lives.

    edges: for each life the ends, in ms after the fork, of its slices. seen: uint8 (page, life): the slice in which the
    page was first written, NEVER, or NOT_SHARED. repeats: how many pages of the sample each line of `seen` stands for.
    """

    edges: list[npt.NDArray[np.float64]]
    seen: npt.NDArray[np.uint8]
    repeats: npt.NDArray[np.int64]


NEVER, NOT_SHARED = 254, 255


def first_writes(path: Path, summary: Summary, parent: int) -> FirstWrites:
    """Read a recording once more, after its summary, for the first writes of a process that forked."""
    lives = [number for number, life in enumerate(summary.lives) if life.parent == parent]
    shared = sum(summary.lives[number].shared for number in lives)
    sampler = _Sampler(lives, min(1.0, CELLS / max(1, shared)), summary.facts.interval_ms)
    summarize(path, sampler)
    kept = [(summary.lives[number].ms, sampler.lives[number]) for number in lives]
    pages = np.unique(np.concatenate([one.pages for _, one in kept]))
    seen = np.full((len(pages), len(kept)), NOT_SHARED, np.uint8)
    edges = []
    for column, (ms, one) in enumerate(kept):
        ends = _ends(one.at, ms + summary.facts.interval_ms / 2)
        written = np.searchsorted(ends, one.at).astype(np.uint8)
        seen[np.searchsorted(pages, one.pages), column] = np.where(np.isnan(one.at), NEVER, written)
        edges.append(ends)
    lines, repeats = np.unique(seen, axis=0, return_counts=True)
    return FirstWrites(edges, lines, repeats)


def _ends(at: npt.NDArray[np.float64], whole: float) -> npt.NDArray[np.float64]:
    """Return the ends of slices about as long as each other, at moments that no interval of writes crosses."""
    moments = np.unique(at[~np.isnan(at)])
    moments = moments[moments < whole]
    wanted = whole * np.arange(1, SLICES) / SLICES
    nearest = np.searchsorted(moments, wanted)
    return np.unique(np.append(moments[nearest[nearest < len(moments)]], whole))


@dataclass
class _Sampled:
    """A life: the pages looked at, and when each was written first, in ms after the fork (NaN: not yet)."""

    begun: float
    pages: npt.NDArray[np.intp]
    place: npt.NDArray[np.int32]
    at: npt.NDArray[np.float64]


class _Sampler:
    """A Listener that looks at a share of the pages of some lives.

    A fork lies somewhere in its interval: it is taken to be in the middle.
    """

    def __init__(self, lives: list[int], share: float, interval_ms: float) -> None:
        self._wanted, self._share, self._half = set(lives), share, interval_ms / 2
        self._ms = 0.0
        self.lives: dict[int, _Sampled] = {}

    def time(self, ms: float) -> None:
        self._ms = ms

    def forked(self, life: int, shared: Mask) -> None:
        if life not in self._wanted:
            return
        pages = np.flatnonzero(shared)
        pages = pages[_scattered(pages) < self._share]
        place = np.full(len(shared), -1, np.int32)
        place[pages] = np.arange(len(pages), dtype=np.int32)
        self.lives[life] = _Sampled(self._ms - self._half, pages, place, np.full(len(pages), np.nan))

    def wrote(self, life: int, pages: npt.NDArray[np.intp]) -> None:
        if life in self._wanted:
            one = self.lives[life]
            place = one.place[pages]
            one.at[place[place >= 0]] = self._ms - one.begun


def _scattered(pages: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Return a number from 0 to 1 for each page, the same each time and without any order (Knuth's hash)."""
    return ((pages.astype(np.uint64) * np.uint64(2654435761)) % np.uint64(1 << 32)) / float(1 << 32)
