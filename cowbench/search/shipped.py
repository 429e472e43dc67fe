"""The policies that are built in: what state each needs of a kernel."""

from __future__ import annotations

from cowbench.search.grammar import COUNTER, MARK, PIN_COUNT, SEQUENCE, STICKY, SWAP_MARK, State

STATE: dict[str, tuple[State, ...]] = {
    "always_reuse": (),
    "mapcount": (),
    "forced_cow": (),
    "page_count": (),
    "has_pinned": (STICKY, SEQUENCE),
    "longterm_only": (STICKY, SEQUENCE),
    "pin_counter": (COUNTER, SEQUENCE),
    "pin_exact": (PIN_COUNT, STICKY, SEQUENCE),
    "page_count_5_18": (STICKY, SEQUENCE),
    "anon_exclusive": (MARK, SWAP_MARK, STICKY, SEQUENCE),
    "eager_copy": (),
}
"""By name of the policy, at its default parameters. The oracle sees what no kernel remembers: it has no place here."""
