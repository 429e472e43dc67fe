"""Small pieces of sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from cowbench.summary import number


def series(names: Sequence[str], most: int | None = None, rest: str = "others") -> str:
    """Write names as a sentence does: "a, b and c"; of more than `most` the first and how many more there are."""
    if most is not None and len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} {rest}"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def listed(counts: Mapping[str, int | Fraction]) -> str:
    """Write counts by name: "12 on trace, 3 on zygote"."""
    return ", ".join(f"{number(count)} on {name}" for name, count in counts.items())


def plural(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun: "1 trial", "3 policies"."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def spaced(name: str) -> str:
    """Write the name of a column as words."""
    return name.replace("_", " ")


def cause(name: str) -> str:
    """Write a cause of needless copies as words; "policy" alone would be taken for the name of one."""
    return _CAUSES.get(name, spaced(name))


_CAUSES = {
    "policy": "the rule itself",
    "lru_batch_local": "local LRU batch",
    "lru_batch_remote": "remote LRU batch",
    "writeback_device": "stable writes",
    "own_reference": "own references",
}
