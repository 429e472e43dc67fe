"""Programs, and what was seen of them, in words. Operations are counted from 1, as their tokens are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cowbench import operations as ops
from cowbench.machine import During, Pages
from cowbench.observation import Numbers
from cowbench.operations import Operation, encode_pages


def say_pages(pages: Pages | Sequence[int]) -> str:
    """Return "page 3", "pages 0 to 14", "pages 1, 4 to 6", or "page 0, 1023 times over"."""
    numbers = pages if isinstance(pages, range) else np.asarray(pages, np.int64)
    if not len(numbers):
        return "no pages"
    if len(numbers) > 1 and len(set(map(int, numbers))) == 1:
        return f"page {numbers[0]}, {len(numbers)} times over"
    runs = [str(run) if isinstance(run, int) else f"{run[0]} to {run[1] - 1}" for run in encode_pages(numbers)]
    return ("page " if len(numbers) == 1 else "pages ") + ", ".join(runs)


def say_token(token: int) -> str:
    """Return who stored a token."""
    return f"what operation {token} stored" if token else "zeros"


def say(operation: Operation) -> str:
    """Return an operation in words, without the handle it hands out."""
    speaker = _SAY.get(type(operation))
    return speaker(operation) if speaker else str(operation)


def say_program(operations: Sequence[Operation]) -> list[str]:
    """Return one numbered line an operation, with the handles that forks, pins and gets hand out."""
    lines, number, processes, references = [], 0, 0, 0
    for operation in operations:
        number += 1
        words = say(operation)
        if isinstance(operation, ops.Spawn | ops.Fork):
            words += f": process {processes}"
            processes += 1
        if isinstance(operation, ops.Pin | ops.Get):
            words += f": reference {references}"
            references += 1
        lines.append(f"{number:3}  {words}")
        for entry in operation.during if isinstance(operation, ops.Fork) else ():
            number += 1
            handle = "" if entry.kind == "write" else f": reference {references}"
            references += entry.kind != "write"
            lines.append(f"{number:3}    meanwhile, at page {entry.at}, {say_meanwhile(entry)}{handle}")
    return lines


def say_meanwhile(entry: During) -> str:
    """Return what another thread does while a process forks, in words."""
    verb = {"write": "writes", "pin": "pins", "get": "takes references to"}[entry.kind]
    return f"another thread {verb} {say_pages(entry.pages)}"


def _pages_of(verb: str) -> Callable[[Operation], str]:
    return lambda o: f"process {o.process} {verb} {say_pages(o.pages)}"  # type: ignore[attr-defined]


def _fork(o: ops.Fork) -> str:
    fails = f", whose early copy number {o.fail_at} finds no memory" if o.fail_at is not None else ""
    group = f" in memory cgroup {o.memcg}" if o.memcg is not None else ""
    return f"process {o.process} forks{group}{fails}"


def _pin(o: ops.Pin) -> str:
    return f"process {o.process} pins {say_pages(o.pages)} for {_access(o.write)}{', long term' if o.longterm else ''}"


def _get(o: ops.Get) -> str:
    kind = f"for {_access(o.write)}, as direct I/O does" if o.coherent else "for a pipe, as vmsplice does"
    return f"process {o.process} takes references to {say_pages(o.pages)} {kind}"


def _access(write: bool) -> str:
    return "writing" if write else "reading"


def _protect(o: ops.Protect) -> str:
    tracked = ", its soft-dirty marks cleared" if o.tracked else ""
    return f"process {o.process} makes {say_pages(o.pages)} read-only and writable again{tracked}"


def _page_out(o: ops.PageOut) -> str:
    return f"process {o.process} pages out {say_pages(o.pages)}{', past the swap cache' if o.drop else ''}"


def _stage(o: ops.Stage) -> str:
    return f"{say_pages(o.pages)} of process {o.process}: {o.state} {'begins' if o.on else 'ends'}"


_SAY: dict[type[Operation], Callable[..., str]] = {
    ops.Spawn: lambda o: f"a process starts on CPU {o.cpu}",
    ops.Write: _pages_of("writes"),
    ops.Read: _pages_of("reads"),
    ops.Fork: _fork,
    ops.Exec: lambda o: f"process {o.process} execs",
    ops.Exit: lambda o: f"process {o.process} exits",
    ops.Protect: _protect,
    ops.Dontfork: _pages_of("keeps from its children"),
    ops.Discard: _pages_of("discards"),
    ops.PageOut: _page_out,
    ops.Pin: _pin,
    ops.Get: _get,
    ops.Release: lambda o: f"reference {o.reference} is released",
    ops.DeviceWrite: lambda o: f"a device writes through reference {o.reference}",
    ops.DeviceRead: lambda o: f"a device reads through reference {o.reference}",
    ops.Move: lambda o: f"process {o.process} moves to CPU {o.cpu}",
    ops.Drain: lambda o: f"the LRU batch of CPU {o.cpu} is flushed",
    ops.Stage: _stage,
}


def say_tokens(tokens: Numbers) -> str:
    """Return what a reader saw, runs of the same token taken together."""
    seen = list(dict.fromkeys(int(token) for token in tokens))
    return " and ".join(map(say_token, seen)) if seen else "nothing"
