"""What each policy does, written down once more from the era tables, as plain words and flags."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from cowbench.errors import ParameterError

Rule = Literal["always", "mapcount", "page_count", "page_count_5_18", "exclusive", "truth"]
SwapRule = Literal["always", "mapcount", "page_count_5_18", "exclusive", "truth"]


@dataclass(frozen=True)
class Behaviour:
    """One policy on its kernel. `rule` answers write faults, `swap` swap-ins, `early` chooses pages copied at fork.

    mark: which pins leave a mark in the mm. unshares: which requests for reading unshare first.
    """

    rule: Rule
    swap: SwapRule
    early: Literal["never", "all", "marked", "marked_exclusive", "marked_exactly", "truth"] = "never"
    mark: Literal["nothing", "any", "longterm", "counter"] = "nothing"
    unshares: Literal["nothing", "pins", "coherent"] = "nothing"
    breaks_zero: bool = False
    breaks_reads: bool = False
    lru_batch: int = 15
    exit_drains: bool = True
    fork_guard: bool = False
    refuses_pins: bool = False
    guards_gets: bool = False
    refuses_references: bool = False
    frees_idle: bool = False
    exclusive: bool = False
    mprotect: Literal["never", "dirty", "always"] = "never"
    read_maps_writable: bool = False
    swap_drains: bool = True
    swap_frees: bool = True
    close_bound: bool = False
    bypass: bool = True
    freeze_writers: bool = False
    gfp: Literal["sleep", "atomic"] = "sleep"
    on_failure: Literal["fail", "share"] = "fail"
    charge: Literal["parent", "child"] = "parent"


_GUARDED: dict[str, Any] = {"fork_guard": True, "refuses_pins": True}
_5_17: dict[str, Any] = {**_GUARDED, "frees_idle": True}
_ANON: dict[str, dict[str, Any]] = {"5.19": {}, "6.1": {"mprotect": "dirty"}}
_ANON["6.6"] = {"mprotect": "always", "breaks_zero": True}
_ANON["6.12"] = {**_ANON["6.6"], "lru_batch": 31, "read_maps_writable": True}
_ANON["6.19"] = {**_ANON["6.12"], "exit_drains": False}
_ANON["7.0"] = {**_ANON["6.19"], "swap_frees": False}
_ANON["7.3"] = {**_ANON["6.19"], "swap_drains": False, "close_bound": True, "bypass": False}
_HAS_PINNED: dict[str, dict[str, Any]] = {"5.9": {}, "5.11": _GUARDED, "5.17": _5_17}

_COUNT = Behaviour("page_count", "mapcount")
_MARKED = replace(_COUNT, early="marked", mark="any")
_EXCLUSIVE = Behaviour(
    "exclusive", "exclusive", early="marked_exclusive", mark="any", unshares="pins", exclusive=True, **_5_17
)
_POLICIES = {
    "always_reuse": Behaviour("always", "always"),
    "eager_copy": Behaviour("always", "always", early="all"),
    "mapcount": Behaviour("mapcount", "mapcount"),
    "forced_cow": Behaviour("mapcount", "mapcount", breaks_reads=True),
    "page_count": _COUNT,
    "has_pinned": _MARKED,
    "longterm_only": replace(_MARKED, mark="longterm", **_5_17),
    "pin_counter": replace(_MARKED, mark="counter", **_5_17),
    "pin_exact": replace(_MARKED, early="marked_exactly", **_5_17),
    "page_count_5_18": replace(_MARKED, rule="page_count_5_18", swap="page_count_5_18", **_5_17),
    "anon_exclusive": _EXCLUSIVE,
    "oracle": replace(
        _EXCLUSIVE, rule="truth", swap="truth", early="truth", mark="nothing", unshares="coherent", **_ANON["6.19"]
    ),
}
_PARAMETERS = ("gfp", "on_failure", "charge")


def behaviour(name: str, parameters: dict[str, Any]) -> Behaviour:
    """Return what policy `name` does with these parameters. Raises ParameterError on unknown ones."""
    rest = dict(parameters)
    found = _POLICIES[name]
    if name == "has_pinned":
        found = replace(found, **_HAS_PINNED[rest.pop("variant", "5.17")])
    if name == "anon_exclusive":
        found = replace(found, **_ANON[rest.pop("kernel", "6.19")])
    if name in ("anon_exclusive", "oracle"):
        found = replace(found, freeze_writers=rest.pop("freeze_writers", False) in (True, "true"))
    allowed = _PARAMETERS if found.early != "never" else ()
    for key in rest:
        if key not in allowed:
            raise ParameterError(f"the twin's {name} has no parameter '{key}'")
    return replace(found, **rest)
