"""The whole state of a SimulatedMachine as plain data, in the form of the scalar twin's snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np

from cowbench.simulated import SimulatedMachine
from cowbench.simulated.frames import BATCHED, COUNT, CPU_SHIFT, LOCKED, SPECULATIVE, SWAP_CACHE, WRITEBACK
from cowbench.simulated.process import ProcessState, ReferenceState
from cowbench.simulated.references import leads
from cowbench.simulated.words import CLEAN, EXCLUSIVE, NUMBER, PRESENT, TRACKED, WRITE


def snapshot(machine: SimulatedMachine) -> dict[str, Any]:
    """Return the full state with the model's own frame and slot numbers."""
    memory = machine.memory
    references = {
        number: _reference(machine, reference)
        for number, reference in enumerate(machine.references)
        if isinstance(reference, ReferenceState)
    }
    return {
        "processes": {state.handle: _process(state) for state in machine.processes},
        "frames": _frames(machine),
        "slots": _slots(machine),
        "batches": {cpu: held.tolist() for cpu, held in enumerate(memory.batches.held)},
        "references": references,
        "charges": {group: count for group, count in memory.frames.charges.items() if count},
        "free": memory.frames.free,
    }


def _slots(machine: SimulatedMachine) -> dict[int, dict[str, Any]]:
    slots = machine.memory.slots
    used = np.flatnonzero((slots.count != 0) | (slots.frame != 0))
    columns = (column[used].tolist() for column in (slots.count, slots.frame, slots.content))
    return {
        number: {"count": count, "frame": frame or None, "content": None if frame else content}
        for number, count, frame, content in zip(used.tolist(), *columns, strict=True)
    }


def _process(state: ProcessState) -> dict[str, Any]:
    used = np.flatnonzero(state.words)
    words = state.words[used].tolist()
    marks = [0] * len(words) if state.marks is None else state.marks[used].tolist()
    pages = {page: _entry(word, mark) for page, word, mark in zip(used.tolist(), words, marks, strict=True)}
    kinds = [entry[0] for entry in pages.values()]
    counted = (state.present, state.zero_pages, state.swapped)
    assert counted == (kinds.count("present"), kinds.count("zero"), kinds.count("swap"))
    return {
        "alive": state.alive,
        "cpu": state.cpu,
        "memcg": state.memcg,
        "has_pinned": state.space.mm.has_pinned,
        "pins": state.space.mm.pins,
        "pages": pages,
        "dontfork": [] if state.dontfork is None else np.flatnonzero(state.dontfork).tolist(),
    }


_WRITE, _EXCLUSIVE, _PRESENT, _NUMBER = int(WRITE), int(EXCLUSIVE), int(PRESENT), int(NUMBER)
_CLEAN, _TRACKED = int(CLEAN), int(TRACKED)


def _entry(word: int, mark: int) -> tuple[Any, ...]:
    number, exclusive, tracked = word & _NUMBER, bool(word & _EXCLUSIVE), bool(mark & _TRACKED)
    if not word & _PRESENT:
        return ("swap", number, exclusive, tracked)
    if number == 0:
        return ("zero", tracked)
    return ("present", number, bool(word & _WRITE), exclusive, not mark & _CLEAN, tracked)


def _frames(machine: SimulatedMachine) -> dict[int, dict[str, Any]]:
    frames = machine.memory.frames
    used = np.flatnonzero((frames.map[: frames.high] != 0) | (frames.extra[: frames.high] != 0))
    assert np.count_nonzero(frames.map) == frames.used, "a frame is free exactly if its entry in map is 0"
    names = ("map", "extra", "state", "slot", "token", "group", "owners")
    columns = (getattr(frames, name)[used].tolist() for name in names)
    only_group = next(iter(frames.charges)) if len(frames.charges) == 1 else None
    found = {}
    for number, map_, extra, state, slot, token, group, owners in zip(used.tolist(), *columns, strict=True):
        mapcount = map_ & int(COUNT)
        assert bool(map_ & ~int(COUNT)) == bool(extra or state), "the LOOK bit is out of step"
        found[number] = {
            "mapcount": mapcount,
            "refcount": mapcount + extra,
            "slot": slot if state & int(SWAP_CACHE) else None,
            "writeback": bool(state & int(WRITEBACK)),
            "locked": bool(state & int(LOCKED)),
            "speculative": bool(state & int(SPECULATIVE)),
            "batch": state >> int(CPU_SHIFT) if state & int(BATCHED) else None,
            "token": token,
            "memcg": group if only_group is None else only_group,
            "references": _owners(machine, number, owners) if owners else {},
        }
    return found


def _owners(machine: SimulatedMachine, frame: int, total: int) -> dict[int, int]:
    owners = {
        process.handle: int(process.references[frame])
        for process in machine.processes
        if frame < len(process.references) and process.references[frame]
    }
    assert sum(owners.values()) == total
    return owners


def _reference(machine: SimulatedMachine, reference: ReferenceState) -> dict[str, Any]:
    return {
        "owner": reference.owner.handle,
        "pages": reference.pages.tolist(),
        "frames": reference.frames.tolist(),
        "leading": leads(machine.memory, reference).tolist() if reference.coherent else None,
        "kind": "pin" if reference.pin else "get",
        "write": reference.write,
        "longterm": reference.longterm,
        "coherent": reference.coherent,
    }


def observe(machine: SimulatedMachine) -> dict[tuple[Any, ...], int]:
    """Return what each process would read in each page it has, and each live reference in each element."""
    machine.settle()
    memory = machine.memory
    seen: dict[tuple[Any, ...], int] = {}
    for state in machine.processes:
        pages = np.flatnonzero(state.words)
        words = state.words[pages]
        number = words & NUMBER
        swapped = (words & PRESENT) == 0
        frame = np.where(swapped, memory.slots.frame[np.where(swapped, number, 0)], number)
        content = memory.slots.content[np.where(swapped, number, 0)]
        value = np.where(swapped & (frame == 0), content, np.where(frame == 0, 0, memory.frames.token[frame]))
        seen.update(
            (("process", state.handle, page), v) for page, v in zip(pages.tolist(), value.tolist(), strict=True)
        )
    for handle, reference in enumerate(machine.references):
        if isinstance(reference, ReferenceState):
            values = np.where(reference.frames == 0, 0, memory.frames.token[reference.frames]).tolist()
            seen.update((("reference", handle, index), value) for index, value in enumerate(values))
    return seen
