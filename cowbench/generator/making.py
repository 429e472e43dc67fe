"""Single random operations: each maker returns one that is possible now, or None."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from cowbench import operations as ops
from cowbench.generator.author import Author
from cowbench.machine import During, PageState
from cowbench.operations import Operation

MAX_DEPTH = 3
MAX_PROCESSES = 6
MAX_REFERENCES = 8
NEAR_BIAS = (1021, 1022, 1023, 1024)
"""References to one page that look like a pin, or just do not (GUP_PIN_COUNTING_BIAS is 1024)."""


def _spawn(author: Author) -> Operation | None:
    if len(author.depths) >= MAX_PROCESSES:
        return None
    author.new_process(0)
    return ops.Spawn(cpu=author.among(range(author.cpus)), memcg=author.among((0, 0, 0, 1)))


def fork(author: Author) -> ops.Fork | None:
    """Fork a live process, in some programs with steps landing and with an allocation that fails."""
    parent = author.process()
    depth = author.depths[parent]
    if depth >= MAX_DEPTH or len(author.depths) >= MAX_PROCESSES:
        return None
    author.new_process(depth + 1)
    if not author.staged:
        return ops.Fork(parent)
    during = _during(author) if author.chance(0.3) else ()
    fail_at = int(author.rng.integers(1, 5)) if author.chance(0.15) else None
    return ops.Fork(parent, during=during, fail_at=fail_at, memcg=author.among((0, 1)) if author.chance(0.2) else None)


def _during(author: Author) -> tuple[During, ...]:
    """Let one to three steps land, mostly near the pages in focus."""
    span = [int(page) for page in author.focus] if author.chance(0.7) else range(author.pages)
    places = sorted(int(author.among(span)) for _ in range(int(author.rng.integers(1, 4))))
    return tuple(_interleaved(author, place) for place in places)


def _interleaved(author: Author, at: int) -> During:
    kinds: tuple[Literal["write", "pin", "get"], ...] = ("write", "write", "pin", "get")
    kind = author.among(kinds)
    if kind != "write":
        author.new_reference(write=True)
    return During(at, kind, author.some_pages())


def _exit(author: Author) -> Operation | None:
    process = author.process()
    del author.depths[process]
    return ops.Exit(process)


def _pin(author: Author) -> Operation | None:
    if len(author.references) >= MAX_REFERENCES:
        return None
    write = author.chance(0.5)
    author.new_reference(write)
    return ops.Pin(author.process(), author.some_pages(), write=write, longterm=author.chance(0.5))


def _get(author: Author) -> Operation | None:
    if len(author.references) >= MAX_REFERENCES:
        return None
    write = author.chance(0.4)
    author.new_reference(write)
    pages = author.some_pages()
    if author.chance(0.1):  # so many that they look like a pin
        pages = np.full(author.among(NEAR_BIAS), pages[0])
    return ops.Get(author.process(), pages, write=write, coherent=write or author.chance(0.5))


def _release(author: Author) -> Operation | None:
    if not author.references:
        return None
    reference = author.among(list(author.references))
    del author.references[reference]
    return ops.Release(reference)


def _device_write(author: Author) -> Operation | None:
    writable = [reference for reference, write in author.references.items() if write]
    return ops.DeviceWrite(author.among(writable)) if writable else None


def _device_read(author: Author) -> Operation | None:
    return ops.DeviceRead(author.among(list(author.references))) if author.references else None


def _stage(author: Author) -> Operation | None:
    if not author.staged:
        return None
    states: tuple[PageState, ...] = ("locked", "speculative", "writeback", "writeback")
    return ops.Stage(author.process(), author.some_pages(), author.among(states), author.chance(0.7))


MAKERS: dict[str, tuple[float, Callable[[Author], Operation | None]]] = {
    "spawn": (0.3, _spawn),
    "write": (5.0, lambda author: ops.Write(author.process(), author.some_pages())),
    "read": (3.0, lambda author: ops.Read(author.process(), author.some_pages())),
    "fork": (3.0, fork),
    "exec": (0.3, lambda author: ops.Exec(author.process())),
    "exit": (1.5, _exit),
    "protect": (1.5, lambda author: ops.Protect(author.process(), author.some_pages(), tracked=author.chance(0.4))),
    "dontfork": (0.4, lambda author: ops.Dontfork(author.process(), author.some_pages())),
    "discard": (0.8, lambda author: ops.Discard(author.process(), author.some_pages())),
    "page_out": (3.0, lambda author: ops.PageOut(author.process(), author.some_pages(), drop=author.chance(0.5))),
    "pin": (2.0, _pin),
    "get": (2.0, _get),
    "release": (1.5, _release),
    "device_write": (1.0, _device_write),
    "device_read": (0.3, _device_read),
    "move": (1.0, lambda author: ops.Move(author.process(), author.among(range(author.cpus)))),
    "drain": (1.5, lambda author: ops.Drain(author.among(range(author.cpus)))),
    "stage": (1.5, _stage),
}
"""How often each operation is asked for, and how it is made: None if it is impossible at the moment."""
