"""Frame and slot numbers made comparable: renamed in order of first appearance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Snapshot = dict[str, Any]


def canonical(snapshot: Snapshot) -> Snapshot:
    """Return an equal state whose frames and slots are numbered by first appearance.

    Order: pages of processes, elements of references, LRU batches, then what nothing of these names, by its content.
    Two machines are in the same state if and only if their canonical snapshots are equal.
    """
    frames: dict[int, int] = {0: 0}
    slots: dict[int, int] = {}
    for kind, number in [*_named(snapshot), *_unnamed(snapshot)]:
        _name(snapshot, frames, slots, kind, number)
    return _renamed(snapshot, frames, slots)


def _named(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    for _, process in sorted(snapshot["processes"].items()):
        for _, entry in sorted(process["pages"].items()):
            if entry[0] != "zero":
                yield ("frame" if entry[0] == "present" else "slot"), entry[1]
    for _, reference in sorted(snapshot["references"].items()):
        for frame in reference["frames"]:
            yield "frame", frame
    for _, batch in sorted(snapshot["batches"].items()):
        for frame in batch:
            yield "frame", frame


def _unnamed(snapshot: Snapshot) -> Iterator[tuple[str, int]]:
    """Frames that only the swap cache or a speculative count holds: equal contents are interchangeable."""
    contents = [
        (repr(sorted({**frame, "slot": frame["slot"] is not None}.items())), n)
        for n, frame in snapshot["frames"].items()
    ]
    for _, number in sorted(contents):
        yield "frame", number
    for number in sorted(snapshot["slots"]):
        yield "slot", number


def _name(snapshot: Snapshot, frames: dict[int, int], slots: dict[int, int], kind: str, number: int) -> None:
    """Give a frame or slot the next name, and its partner of the swap cache too."""
    frame, slot = (number, None) if kind == "frame" else (None, number)
    if frame:
        slot = snapshot["frames"][frame]["slot"]
    elif slot is not None:
        frame = snapshot["slots"][slot]["frame"]
    if frame and frame not in frames:
        frames[frame] = len(frames)
    if slot is not None and slot not in slots:
        slots[slot] = len(slots) + 1


def _renamed(snapshot: Snapshot, frames: dict[int, int], slots: dict[int, int]) -> Snapshot:
    def slot_name(slot: int | None) -> int | None:
        return None if slot is None else slots[slot]

    return {
        **snapshot,
        "processes": {pid: _process(process, frames, slots) for pid, process in snapshot["processes"].items()},
        "frames": {
            frames[number]: {**frame, "slot": slot_name(frame["slot"])} for number, frame in snapshot["frames"].items()
        },
        "slots": {
            slots[number]: {**slot, "frame": None if slot["frame"] is None else frames[slot["frame"]]}
            for number, slot in snapshot["slots"].items()
        },
        "batches": {cpu: [frames[frame] for frame in batch] for cpu, batch in snapshot["batches"].items()},
        "references": {
            number: {**reference, "frames": [frames[frame] for frame in reference["frames"]]}
            for number, reference in snapshot["references"].items()
        },
        "charges": {memcg: charge for memcg, charge in snapshot["charges"].items() if charge},
    }


def _process(process: dict[str, Any], frames: dict[int, int], slots: dict[int, int]) -> dict[str, Any]:
    """A process that is gone has nothing but its absence."""
    if not process["alive"]:
        return {"alive": False, "pages": {}}
    pages = {page: _entry(entry, frames, slots) for page, entry in process["pages"].items()}
    return {**process, "pages": pages}


def _entry(entry: tuple[Any, ...], frames: dict[int, int], slots: dict[int, int]) -> tuple[Any, ...]:
    if entry[0] == "zero":
        return tuple(entry)
    names = frames if entry[0] == "present" else slots
    return (entry[0], names[entry[1]], *entry[2:])
