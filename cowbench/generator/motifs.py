"""Motifs: short runs of operations that lead into states which single ones seldom reach."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cowbench import operations as ops
from cowbench.generator.author import Author
from cowbench.generator.making import MAX_DEPTH, MAX_PROCESSES, MAX_REFERENCES, NEAR_BIAS, fork
from cowbench.machine import During, PageState, Process
from cowbench.operations import Operation


def _staged(author: Author, process: Process, state: PageState) -> list[Operation]:
    return [ops.Stage(process, author.focus, state, True)] if author.staged else []


def _touched(author: Author, process: Process) -> list[Operation]:
    """Write the pages in focus, often after reading them."""
    read: list[Operation] = [ops.Read(process, author.focus)] if author.chance(0.5) else []
    return [*read, ops.Write(process, author.focus)]


def _swapped(author: Author) -> list[Operation]:
    """Out and in again, perhaps caught under writeback."""
    process = author.process()
    out = ops.PageOut(process, author.focus, drop=author.chance(0.5))
    caught = _staged(author, process, "writeback") if author.chance(0.6) else []
    return [ops.Drain(author.among(range(author.cpus))), out, *caught, *_touched(author, process)]


def _visited(author: Author) -> list[Operation]:
    """A child comes, perhaps to another CPU, and goes; the pages may be found locked or counted by a stranger."""
    forked = fork(author)
    if forked is None:
        return []
    child = Process(author.processes_made - 1)
    del author.depths[child]
    away: list[Operation] = [ops.Move(child, author.among(range(author.cpus)))] if author.chance(0.5) else []
    busy = _staged(author, forked.process, author.among(("locked", "speculative"))) if author.chance(0.4) else []
    return [forked, *away, ops.Exit(child), *busy, *_touched(author, forked.process)]


def _left_behind(author: Author) -> list[Operation]:
    """Fresh pages stay in the LRU batch of a CPU that the process leaves; then they are write-protected."""
    process = author.process()
    fresh: list[Operation] = [ops.Discard(process, author.focus), ops.Write(process, author.focus)]
    move: list[Operation] = [ops.Move(process, author.among(range(author.cpus)))]
    return [*fresh, *move, ops.Protect(process, author.focus, tracked=author.chance(0.7)), *_touched(author, process)]


def _raced(author: Author) -> list[Operation]:
    """The first page is pinned; while fork walks, another thread writes it and then the others."""
    if not author.staged or len(author.depths) >= MAX_PROCESSES or len(author.references) >= MAX_REFERENCES:
        return []
    process = author.process()
    if author.depths[process] >= MAX_DEPTH:
        return []
    span = range(min(int(author.rng.integers(2, 8)), author.pages))
    author.new_reference(write=True)
    author.new_process(author.depths[process] + 1)
    during = During(author.among(span), "write", span)
    pin = ops.Pin(process, range(1), longterm=author.chance(0.5))
    return [ops.Write(process, span), pin, ops.Fork(process, during=(during,))]


def _crowded(author: Author) -> list[Operation]:
    """So many references to one page that it looks pinned, in a process that perhaps once pinned; then fork or swap."""
    if len(author.references) + 2 > MAX_REFERENCES:
        return []
    process, page = author.process(), int(author.focus[0])
    settled: list[Operation] = [ops.Write(process, range(page, page + 1))]
    settled += [ops.Drain(cpu) for cpu in range(author.cpus)]
    if author.chance(0.8):
        pin = author.new_reference(write=True)
        settled.append(ops.Pin(process, range(page, page + 1), longterm=author.chance(0.5)))
        if author.chance(0.8):
            del author.references[pin]
            settled.append(ops.Release(pin))
    author.new_reference(write=False)
    crowd = ops.Get(process, np.full(author.among(NEAR_BIAS), page), coherent=author.chance(0.4))
    then = fork(author) if author.chance(0.6) else ops.PageOut(process, author.focus, drop=True)
    return [*settled, crowd, *([then] if then is not None else []), *_touched(author, process)]


def _piped(author: Author) -> list[Operation]:
    """A child hands its page to a pipe and forgets it; the parent's goes through swap or not, and is written."""
    forked = fork(author)
    if forked is None or len(author.references) >= MAX_REFERENCES:
        return [forked] if forked is not None else []
    child, focus = Process(author.processes_made - 1), author.focus
    author.new_reference(write=False)
    gone: list[Operation] = [ops.Get(child, focus, coherent=author.chance(0.2)), ops.Discard(child, focus)]
    swap: list[Operation] = [ops.PageOut(forked.process, focus, drop=True)] if author.chance(0.7) else []
    return [forked, *gone, *swap, *_touched(author, forked.process)]


MOTIFS: tuple[Callable[[Author], list[Operation]], ...] = (
    *(_swapped, _swapped, _visited, _visited, _left_behind),
    *(_raced, _crowded, _piped),
)
