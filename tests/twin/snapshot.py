"""The whole state as plain data, and what every reader would see."""

from __future__ import annotations

from typing import Any

from tests.twin.state import Entry, Frame, Process, Reference, State


def snapshot(state: State) -> dict[str, Any]:
    """Return the full state with the twin's own frame and slot numbers (docs: tests/canonical.py)."""
    return {
        "processes": {process.number: _process(process) for process in state.processes},
        "frames": {number: _frame(frame) for number, frame in state.frames.items()},
        "slots": {
            number: {
                "count": len(slot.sharers),
                "frame": slot.frame.number if slot.frame else None,
                "content": None if slot.frame else slot.content,
            }
            for number, slot in state.slots.items()
        },
        "batches": {cpu: [frame.number for frame in frames] for cpu, frames in state.batches.items()},
        "references": {reference.number: _reference(reference) for reference in state.live_references()},
        "charges": {memcg: frames for memcg, frames in state.charges.items() if frames},
        "free": state.config.frames - len(state.frames),
    }


def _process(process: Process) -> dict[str, Any]:
    return {
        "alive": process.alive,
        "cpu": process.cpu,
        "memcg": process.memcg,
        "has_pinned": process.mm.has_pinned,
        "pins": process.mm.pins,
        "pages": {page: _entry(entry) for page, entry in process.mm.pages.items()},
        "dontfork": sorted(process.mm.dontfork),
    }


def _entry(entry: Entry) -> tuple[Any, ...]:
    if entry.frame is not None:
        return ("present", entry.frame.number, entry.write, entry.exclusive, entry.dirty, entry.tracked)
    if entry.slot is not None:
        return ("swap", entry.slot.number, entry.exclusive, entry.tracked)
    return ("zero", entry.tracked)


def _frame(frame: Frame) -> dict[str, Any]:
    return {
        "mapcount": len(frame.mappers),
        "refcount": frame.refcount,
        "slot": frame.slot.number if frame.slot else None,
        "writeback": frame.writeback,
        "locked": frame.locked,
        "speculative": frame.speculative,
        "batch": frame.batch,
        "token": frame.token,
        "memcg": frame.memcg,
        "references": dict(frame.holders),
    }


def _reference(reference: Reference) -> dict[str, Any]:
    return {
        "owner": reference.owner,
        "pages": list(reference.pages),
        "frames": [frame.number if frame else 0 for frame in reference.frames],
        "leading": list(reference.leading),
        "kind": reference.kind,
        "write": reference.write,
        "longterm": reference.longterm,
        "coherent": reference.coherent,
    }


def observe(state: State) -> dict[tuple[Any, ...], int]:
    """Return what each process would read in each page it has, and each live reference in each element."""
    seen: dict[tuple[Any, ...], int] = {}
    for process in state.processes:
        for page, entry in process.mm.pages.items():
            seen["process", process.number, page] = entry.value()
    for reference in state.live_references():
        for index, frame in enumerate(reference.frames):
            seen["reference", reference.number, index] = frame.token if frame else 0
    return seen
