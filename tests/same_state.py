"""Are two machines in the same state, whatever they call their frames and slots?"""

from __future__ import annotations

from typing import Any

Snapshot = dict[str, Any]


class _Names:
    """A one-to-one correspondence of numbers, built as pairs are met."""

    def __init__(self) -> None:
        self.forth: dict[int, int] = {}
        self.back: dict[int, int] = {}

    def match(self, a: int, b: int) -> bool:
        return self.forth.setdefault(a, b) == b and self.back.setdefault(b, a) == a


def same_state(a: Snapshot, b: Snapshot) -> bool:
    """Return whether some renaming of frames and slots turns snapshot `a` into `b`."""
    frames, slots = _Names(), _Names()
    frames.match(0, 0)
    plain = ("charges", "free")
    return (
        all(a[key] == b[key] for key in plain)
        and a["processes"].keys() == b["processes"].keys()
        and all(_same_process(a["processes"][n], b["processes"][n], frames, slots) for n in a["processes"])
        and a["references"].keys() == b["references"].keys()
        and all(_same_reference(a["references"][n], b["references"][n], frames) for n in a["references"])
        and all(_same_list(a["batches"].get(cpu, []), b["batches"].get(cpu, []), frames) for cpu in _cpus(a, b))
        and _same_slots(a, b, frames, slots)
        and _same_frames(a, b, frames, slots)
    )


def _cpus(a: Snapshot, b: Snapshot) -> set[int]:
    return a["batches"].keys() | b["batches"].keys()


def _same_process(a: Snapshot, b: Snapshot, frames: _Names, slots: _Names) -> bool:
    if a["pages"].keys() != b["pages"].keys():
        return False
    for page, mine in a["pages"].items():
        theirs = b["pages"][page]
        if mine[0] != theirs[0]:
            return False
        if mine[0] == "zero":
            if mine != theirs:
                return False
        elif mine[2:] != theirs[2:] or not (frames if mine[0] == "present" else slots).match(mine[1], theirs[1]):
            return False
    return all(a[key] == b[key] for key in a if key != "pages")


def _same_reference(a: Snapshot, b: Snapshot, frames: _Names) -> bool:
    skipped = ("frames",) if a["coherent"] else ("frames", "leading")
    return _same_list(a["frames"], b["frames"], frames) and all(a[key] == b[key] for key in a if key not in skipped)


def _same_list(a: list[int], b: list[int], frames: _Names) -> bool:
    return len(a) == len(b) and all(frames.match(mine, theirs) for mine, theirs in zip(a, b, strict=True))


def _same_slots(a: Snapshot, b: Snapshot, frames: _Names, slots: _Names) -> bool:
    """Match slots through the frames that cache them and the other way round, then compare those reached."""
    for mine, theirs in list(frames.forth.items()):
        if mine and mine in a["frames"]:
            pair = a["frames"][mine]["slot"], b["frames"].get(theirs, {}).get("slot")
            if (pair[0] is None) != (pair[1] is None) or (pair[0] is not None and not slots.match(*pair)):
                return False
    for mine, theirs in slots.forth.items():
        one, other = a["slots"][mine], b["slots"].get(theirs)
        if other is None or (one["count"], one["content"]) != (other["count"], other["content"]):
            return False
        if (one["frame"] is None) != (other["frame"] is None):
            return False
        if one["frame"] is not None and not frames.match(one["frame"], other["frame"]):
            return False
    return len(a["slots"]) == len(b["slots"])


def _same_frames(a: Snapshot, b: Snapshot, frames: _Names, slots: _Names) -> bool:
    if len(a["frames"]) != len(b["frames"]):
        return False
    for mine, theirs in frames.forth.items():
        if mine:
            one, other = a["frames"].get(mine), b["frames"].get(theirs)
            if one is None or other is None or any(one[key] != other[key] for key in one if key != "slot"):
                return False
    return _unnamed(a, frames.forth.keys()) == _unnamed(b, frames.back.keys())


def _unnamed(snapshot: Snapshot, named: Any) -> list[str]:
    """Frames that nothing names but the swap cache or a speculative count: a multiset of their contents."""
    slots = snapshot["slots"]
    return sorted(
        repr(sorted({**frame, "slot": frame["slot"] and slots[frame["slot"]]["count"]}.items()))
        for number, frame in snapshot["frames"].items()
        if number not in named
    )
