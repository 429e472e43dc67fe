"""A digest of all that the further behaviour of a simulated machine depends on, whatever its frames are numbered."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

from cowbench.simulated.machine import SimulatedMachine
from cowbench.simulated.process import ProcessState, ReferenceState
from cowbench.simulated.words import NUMBER, PRESENT

Array = npt.NDArray[Any]


def fingerprint(machine: SimulatedMachine) -> bytes:
    """Return a digest that two machines share only if every program does the same on both from now on.

    Frames, swap slots, tokens, live processes and live references count by the order in which they are met, so
    their numbers are left out; what the ledger counted is left out too.
    """
    machine.settle()
    memory = machine.memory
    processes = [state for state in machine.processes if state.alive]
    references = [state for state in machine.references if isinstance(state, ReferenceState)]
    tables = [_trimmed(state.words) for state in processes]
    words = np.concatenate([*tables, np.zeros(0, np.uint32)])
    numbers = words & NUMBER
    slots, slot_rank = _ranked(numbers[((words & PRESENT) == 0) & (words != 0)])
    frames, frame_rank = _ranked(
        np.concatenate(
            [
                numbers[(words & PRESENT) != 0],
                memory.slots.frame[slots],
                *memory.batches.held,
                *(reference.frames for reference in references),
            ]
        )
    )
    columns = memory.frames
    _, content = _ranked(np.concatenate([[0], columns.token[frames], memory.slots.content[slots]]))
    parts: list[Array] = [
        np.array([len(table) for table in tables]),
        words & ~NUMBER,
        *(slot_rank, frame_rank, content),
        *(getattr(columns, name)[frames] for name in ("map", "extra", "state", "coherent")),
        *(memory.slots.count[slots], memory.slots.frame[slots] != 0),
        np.array([len(held) for held in memory.batches.held]),
        *(_process(state) for state in processes),
        *(_reference(reference, processes) for reference in references),
    ]
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(4, "little"))
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()


def _trimmed(column: Array) -> Array:
    used = np.flatnonzero(column)
    return column[: used[-1] + 1] if len(used) else column[:0]


def _ranked(numbers: Array) -> tuple[npt.NDArray[np.intp], Array]:
    """Return the distinct numbers in the order they are met, and for each element which of them it is."""
    ranks: dict[int, int] = {}  # quicker than sorting: there are few
    rank = [ranks.setdefault(number, len(ranks)) for number in numbers.tolist()]
    return np.array(list(ranks), np.intp), np.array(rank, np.int64)


def _process(state: ProcessState) -> Array:
    mm = state.space.mm
    marks = np.zeros(0, np.uint8) if state.marks is None else _trimmed(state.marks)
    skipped = np.zeros(0, np.intp) if state.dontfork is None else np.flatnonzero(state.dontfork)
    facts = [state.cpu, state.memcg, int(mm.has_pinned), mm.pins, state.space.live_pins, len(marks)]
    return np.concatenate([np.array(facts), marks, skipped])


def _reference(reference: ReferenceState, processes: list[ProcessState]) -> Array:
    owner = processes.index(reference.owner) if reference.owner in processes else -1
    kind = [reference.pin, reference.write, reference.longterm, reference.coherent]
    there = reference.space is reference.owner.space
    return np.concatenate([np.array([owner, there, *kind], np.int64), reference.pages])
