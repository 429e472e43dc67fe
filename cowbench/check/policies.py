"""What is asked of a policy: on made-up views, and in random programs on the simulated machine."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from cowbench import operations as ops
from cowbench.check import Broken
from cowbench.check.synthetic import Question, columns, questions, some, some_truth, truth
from cowbench.errors import OutOfFrames
from cowbench.generator import random_program
from cowbench.ledger import Ledger
from cowbench.machine import MachineConfig
from cowbench.operations import Operation
from cowbench.policy import Policy
from cowbench.simulated import SimulatedMachine
from cowbench.spec import PluginSpec
from cowbench.views import Columns, FaultView, Mask, PageView, Truth

PAGES = 48
VIEWS = 8
PROGRAMS = 24
OPERATIONS = 60
_KEPT = ("mapcount", "swap_count", "exclusive", "writeback", "locked")
"""Columns that no action changes."""
_CLOSED = {"_columns", "_own_entries", "drains", "freed", "refused", "truth"}
"""Attributes of a view that are the engine's; `told()` is the way to the truth for those who may have it."""
_OPEN = {"errors", "kernels", "policy", "rules", "views"}
"""Modules of the engine that a policy may import."""


def _answers(spec: PluginSpec) -> None:
    for question, batch, known in _batches(spec):
        for size in (PAGES, 1, 0):
            part = slice(0, size)
            _ask(spec.build(), question, some(batch, part), some_truth(known, part))


def _deterministic(spec: PluginSpec) -> None:
    for question, batch, known in _batches(spec):
        first, again = (_ask(spec.build(), question, some(batch, slice(None)), known) for _ in range(2))
        if (first[0] != again[0]).any():
            raise Broken(f"{question.method}() answered the same question differently the second time")
    for config, program in _programs():
        batches = [[operation] for operation in program]
        if _run(spec.build(), config, batches) != _run(spec.build(), config, batches):
            raise Broken("the same program gave other counts the second time; keep nothing outside mm")


def _one_by_one(spec: PluginSpec) -> None:
    for question, batch, known in _batches(spec):
        whole, _ = _ask(spec.build(), question, some(batch, slice(None)), known)
        single = _each_alone(spec.build(), question, some(batch, slice(None)), known)
        if (whole != single).any():
            page = int(np.argmax(whole != single))
            raise Broken(f"{question.method}() says {whole[page]} of a page in a batch and {single[page]} of it alone")
    for config, program in _programs():
        batches, pages = [[operation] for operation in program], [_split(operation) for operation in program]
        if _run(spec.build(), config, batches) != _run(spec.build(), config, pages):
            raise Broken("a batch and its pages one by one gave other counts")


def _no_mutation(spec: PluginSpec) -> None:
    for question, batch, known in _batches(spec):
        before = some(batch, slice(None))
        _, view = _ask(spec.build(), question, some(batch, slice(None)), known)
        acted = isinstance(view, FaultView) and (view.drains.any() or view.freed.any())
        expected = question.make(before, known)._columns
        for name in _KEPT if acted else (*_KEPT, "refcount", "in_swap_cache", "on_lru", "local"):
            if (getattr(view._columns, name) != getattr(expected, name)).any():
                raise Broken(f"{question.method}() changed the column {name}; views are for reading")


def _no_truth(spec: PluginSpec) -> None:
    if spec.build().sees_truth:
        return
    for node in ast.walk(ast.parse(Path(spec.file).read_bytes())):
        if isinstance(node, ast.Attribute) and node.attr in _CLOSED:
            raise Broken(f"line {node.lineno}: reaches for .{node.attr}, which is not a policy's to see")
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module in _modules(node):
                if module.startswith("cowbench.") and module.split(".")[1] not in _OPEN:
                    known = ", ".join(sorted(_OPEN))
                    raise Broken(f"line {node.lineno}: imports {module}; of cowbench, a policy imports {known}")


PROMISES: dict[str, Callable[[PluginSpec], None]] = {
    "answers with a boolean a page": _answers,
    "is deterministic": _deterministic,
    "a batch equals its pages one by one": _one_by_one,
    "changes nothing that it sees": _no_mutation,
    "sees no truth": _no_truth,
}


def _batches(spec: PluginSpec) -> Iterator[tuple[Question, Columns, Truth | None]]:
    for seed in range(VIEWS):
        rng = np.random.default_rng(seed)
        for question in questions():
            yield question, columns(rng, PAGES), truth(rng, PAGES) if spec.build().sees_truth else None


def _ask(policy: Policy, question: Question, batch: Columns, known: Truth | None) -> tuple[Mask, PageView]:
    view = question.make(batch, known)
    answer = getattr(policy, question.method)(view)
    if not isinstance(answer, np.ndarray) or answer.dtype != np.bool_ or answer.shape != (len(view),):
        got = f"{answer.dtype}{list(answer.shape)}" if isinstance(answer, np.ndarray) else type(answer).__name__
        raise Broken(f"{question.method}() must return bool[{len(view)}], one entry a page, not {got}")
    return answer.copy(), view


def _each_alone(policy: Policy, question: Question, batch: Columns, known: Truth | None) -> Mask:
    """Ask about each page in turn, the pages after it seeing what its actions did."""
    answers = np.zeros(PAGES, np.bool_)
    for page in range(PAGES):
        at = slice(page, page + 1)
        answer, view = _ask(policy, question, some(batch, at), some_truth(known, at))
        answers[page] = answer[0]
        if isinstance(view, FaultView) and view.drains.any():
            rest = slice(page + 1, None)
            flushed = batch.local[rest].copy()
            batch.refcount[rest] -= flushed
            batch.on_lru[rest] |= flushed
            batch.local[rest] = False
    return answers


def _programs() -> Iterator[tuple[MachineConfig, list[Operation]]]:
    for seed in range(PROGRAMS):
        yield random_program(np.random.default_rng(seed), operations=OPERATIONS)


def _run(policy: Policy, config: MachineConfig, program: list[list[Operation]]) -> Ledger:
    """Run groups of operations; where one runs out of frames, the rest of its group is left out."""
    machine = SimulatedMachine(policy, config)
    for group in program:
        with suppress(OutOfFrames):
            for operation in group:
                operation.apply(machine)
    return machine.ledger


def _split(operation: Operation) -> list[Operation]:
    """Return the same accesses page by page."""
    if not isinstance(operation, ops.Write | ops.Read):
        return [operation]
    return [replace(operation, pages=range(page, page + 1)) for page in np.asarray(operation.pages).tolist()]


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if node.module == "cowbench":
        return [f"cowbench.{name.name}" for name in node.names]
    return [node.module or ""]
