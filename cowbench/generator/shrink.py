"""Shrinks a failing program: the fewest operations, then the fewest pages, that still fail (delta debugging)."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import Any

import numpy as np

from cowbench.machine import Pages
from cowbench.operations import Fork, Get, Operation, Pin, Spawn, encode

Program = list[Operation]
Fails = Callable[[Program], bool]
Place = tuple[int, int | None]
"""Where a set of pages stands: index of the operation, and of the interleaved step if it is a fork's."""


def shrink(program: Program, fails: Fails) -> Program:
    """Return a locally minimal program for which `fails` still holds; `program` itself must fail.

    No single operation, interleaved step, option of a fork or page can be left out any more. An operation takes with it
    all that uses a handle it would have handed out; later handles are renumbered.
    """
    while True:
        before = [encode(operation) for operation in program]
        program = _reduce(program, len, lambda all_, start, stop: without(all_, operations=range(start, stop)), fails)
        program = _reduce(program, _steps, lambda all_, start, stop: without(all_, steps=range(start, stop)), fails)
        program = _drop_options(program, fails)
        for place in _places(program):
            program = _shrink_pages(program, place, fails)
        if [encode(operation) for operation in program] == before:
            return program


def _reduce(
    program: Program,
    count: Callable[[Program], int],
    remove: Callable[[Program, int, int], Program],
    fails: Fails,
) -> Program:
    """Remove runs of the `count` parts, ever shorter ones, as long as the rest fails; at last no single one can go."""
    size = max(1, count(program) // 2)
    while True:
        start, changed = 0, False
        while start < count(program):
            candidate = remove(program, start, start + size)
            if fails(candidate):
                program, changed = candidate, True
            else:
                start += size
        if size == 1 and not changed:
            return program
        size = max(1, size // 2)


def without(program: Program, operations: Container[int] = (), steps: Container[int] = ()) -> Program:
    """Leave out operations, or interleaved steps (counted through all forks), and all that uses their handles."""
    processes: list[int | None] = []
    references: list[int | None] = []
    kept: Program = []
    step = 0
    for index, operation in enumerate(program):
        handles = {"process": processes, "reference": references}
        new: dict[str, Any] = {
            key: old[getattr(operation, key)] for key, old in handles.items() if hasattr(operation, key)
        }
        keep = index not in operations and None not in new.values()
        if isinstance(operation, Fork):
            stay = [keep and step + offset not in steps for offset in range(len(operation.during))]
            step += len(stay)
            pairs = list(zip(operation.during, stay, strict=True))
            new["during"] = tuple(one for one, stays in pairs if stays)
            for one, stays in pairs:
                if one.kind != "write":
                    _hand_out(references, stays)
        if isinstance(operation, Spawn | Fork):
            _hand_out(processes, keep)
        if isinstance(operation, Pin | Get):
            _hand_out(references, keep)
        if keep:
            kept.append(replace(operation, **new))
    return kept


def _hand_out(handles: list[int | None], keep: bool) -> None:
    """Give the next handle its new number: None if nobody hands it out any more."""
    handles.append(sum(new is not None for new in handles) if keep else None)


def _steps(program: Program) -> int:
    return sum(len(operation.during) for operation in program if isinstance(operation, Fork))


def _drop_options(program: Program, fails: Fails) -> Program:
    """Set the options of forks to their defaults where that does not mend the program."""
    for index in range(len(program)):
        for option in ("fail_at", "memcg"):
            if getattr(program[index], option, None) is not None and isinstance(program[index], Fork):
                candidate = _replaced(program, index, **{option: None})
                program = candidate if fails(candidate) else program
    return program


def _places(program: Program) -> list[Place]:
    found: list[Place] = []
    for index, operation in enumerate(program):
        if isinstance(operation, Fork):
            found += [(index, step) for step in range(len(operation.during))]
        elif hasattr(operation, "pages"):
            found.append((index, None))
    return found


def _shrink_pages(program: Program, place: Place, fails: Fails) -> Program:
    def count(current: Program) -> int:
        return len(_pages(current, place))

    def remove(current: Program, start: int, stop: int) -> Program:
        pages = _pages(current, place)
        return _with_pages(current, place, pages[:start] + pages[stop:])

    def fails_not_empty(candidate: Program) -> bool:
        return count(candidate) > 0 and fails(candidate)

    return _reduce(program, count, remove, fails_not_empty)


def _pages(program: Program, place: Place) -> list[int]:
    operation: Any = program[place[0]]
    pages = operation.pages if place[1] is None else operation.during[place[1]].pages
    return [int(page) for page in pages]


def _with_pages(program: Program, place: Place, numbers: list[int]) -> Program:
    index, step = place
    if step is None:
        return _replaced(program, index, pages=as_pages(numbers))
    operation: Any = program[index]
    during = list(operation.during)
    during[step] = replace(during[step], pages=as_pages(numbers))
    return _replaced(program, index, during=tuple(during))


def as_pages(numbers: list[int]) -> Pages:
    """Return page numbers as a range where they are one."""
    first = numbers[0] if numbers else 0
    run = range(first, first + len(numbers))
    return run if list(run) == numbers else np.array(numbers, dtype=np.int64)


def _replaced(program: Program, index: int, **fields: Any) -> Program:
    return [*program[:index], replace(program[index], **fields), *program[index + 1 :]]
