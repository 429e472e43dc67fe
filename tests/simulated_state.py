"""The whole state of a SimulatedMachine as plain data, in the form of the scalar twin's snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np

from cowbench.simulated import SimulatedMachine
from cowbench.simulated.frames import BATCHED, COUNT, CPU_SHIFT, LOCKED, SPECULATIVE, SWAP_CACHE, WRITEBACK
from cowbench.simulated.process import ProcessState, ReferenceState
from cowbench.simulated.references import _leads
from cowbench.simulated.words import CLEAN, EXCLUSIVE, NUMBER, PRESENT, TRACKED, WRITE


def snapshot(machine: SimulatedMachine) -> dict[str, Any]:
    """Return the full state with the model's own frame and slot numbers."""
    memory = machine.memory
    slots = {
        number: {
            "count": int(memory.slots.count[number]),
            "frame": int(memory.slots.frame[number]) or None,
            "content": None if memory.slots.frame[number] else int(memory.slots.content[number]),
        }
        for number in range(1, len(memory.slots.count))
        if memory.slots.count[number] or memory.slots.frame[number]
    }
    references = {
        number: _reference(machine, reference)
        for number, reference in enumerate(machine.references)
        if isinstance(reference, ReferenceState)
    }
    frames = {}
    for number in range(1, memory.frames.high):
        if memory.frames.map[number] or memory.frames.extra[number]:
            frames[number] = _frame(machine, number)
    return {
        "processes": {state.handle: _process(state) for state in machine.processes},
        "frames": frames,
        "slots": slots,
        "batches": {cpu: [int(frame) for frame in held] for cpu, held in enumerate(memory.batches.held)},
        "references": references,
        "charges": {group: count for group, count in memory.frames.charges.items() if count},
        "free": memory.frames.free,
    }


def _process(state: ProcessState) -> dict[str, Any]:
    pages = {}
    for page in np.flatnonzero(state.words).tolist():
        word = state.words[page]
        mark = np.uint8(0) if state.marks is None else state.marks[page]
        number, exclusive, tracked = int(word & NUMBER), bool(word & EXCLUSIVE), bool(mark & TRACKED)
        if not word & PRESENT:
            pages[page] = ("swap", number, exclusive, tracked)
        elif number == 0:
            pages[page] = ("zero", tracked)
        else:
            pages[page] = ("present", number, bool(word & WRITE), exclusive, not mark & CLEAN, tracked)
    present = sum(entry[0] == "present" for entry in pages.values())
    assert (state.present, state.zero_pages, state.swapped) == (
        present,
        sum(entry[0] == "zero" for entry in pages.values()),
        len(pages) - present - sum(entry[0] == "zero" for entry in pages.values()),
    )
    return {
        "alive": state.alive,
        "cpu": state.cpu,
        "memcg": state.memcg,
        "has_pinned": state.space.mm.has_pinned,
        "pins": state.space.mm.pins,
        "pages": pages,
        "dontfork": [] if state.dontfork is None else np.flatnonzero(state.dontfork).tolist(),
    }


def _frame(machine: SimulatedMachine, number: int) -> dict[str, Any]:
    frames = machine.memory.frames
    state = frames.state[number]
    owners = {
        process.handle: int(process.references[number])
        for process in machine.processes
        if number < len(process.references) and process.references[number]
    }
    assert sum(owners.values()) == frames.owners[number]
    return {
        "mapcount": int(frames.map[number] & COUNT),
        "refcount": int(frames.map[number] & COUNT) + int(frames.extra[number]),
        "slot": int(frames.slot[number]) if state & SWAP_CACHE else None,
        "writeback": bool(state & WRITEBACK),
        "locked": bool(state & LOCKED),
        "speculative": bool(state & SPECULATIVE),
        "batch": int(state >> CPU_SHIFT) if state & BATCHED else None,
        "token": int(frames.token[number]),
        "memcg": int(frames.group[number]) if len(frames.charges) > 1 else next(iter(frames.charges)),
        "references": owners,
    }


def _reference(machine: SimulatedMachine, reference: ReferenceState) -> dict[str, Any]:
    return {
        "owner": reference.owner.handle,
        "pages": reference.pages.tolist(),
        "frames": reference.frames.tolist(),
        "leading": _leads(machine.memory, reference).tolist(),
        "kind": "pin" if reference.pin else "get",
        "write": reference.write,
        "longterm": reference.longterm,
        "coherent": reference.coherent,
    }


def observe(machine: SimulatedMachine) -> dict[tuple[Any, ...], int]:
    """Return what each process would read in each page it has, and each live reference in each element."""
    memory = machine.memory
    seen: dict[tuple[Any, ...], int] = {}
    for state in machine.processes:
        for page in np.flatnonzero(state.words).tolist():
            word = state.words[page]
            number = int(word & NUMBER)
            frame = number if word & PRESENT else int(memory.slots.frame[number])
            value = memory.frames.token[frame] if frame or word & PRESENT else memory.slots.content[number]
            seen["process", state.handle, page] = int(value) if frame or not word & PRESENT else 0
    for handle, reference in enumerate(machine.references):
        if isinstance(reference, ReferenceState):
            for index, frame in enumerate(reference.frames.tolist()):
                seen["reference", handle, index] = int(memory.frames.token[frame]) if frame else 0
    return seen
