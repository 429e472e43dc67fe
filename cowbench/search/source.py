"""A rule as a policy file, as short as those of past kernels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cowbench.search.grammar import FLAGGED, GATES, SAYS, Rule

_LINE = 120


def source(rule: Rule, name: str) -> str:
    """Return the text of a policy file that follows a rule; it passes `cowbench check`."""
    fork, marked = rule["fork"], bool(rule.family.state)
    base = "Policy" if fork.name == "none" else "EarlyCopyPolicy"
    body = "\n".join(_body(rule, marked))
    used = [known for known in ("ForkPages", "GupPages", "Mask", "Mm", "Scan", "SwapIn", "WriteFault") if known in body]
    imports = ["from dataclasses import replace", ""]
    imports += ["import numpy as np", ""] if "np." in body else []
    imports += ["from cowbench import rules"] if "rules." in body else []
    imports += [
        "from cowbench.kernels import LINUX_6_19, KernelFlags",
        f"from cowbench.policy import {base}",
        f"from cowbench.views import {', '.join(used)}",
    ]
    cls = "".join(part.capitalize() for part in name.split("_"))
    return "\n".join([_docstring(rule, name), *imports, "", "", f"class {cls}({base}):", body, ""])


def _docstring(rule: Rule, name: str) -> str:
    said = [f"{SAYS[part]} {rule[part].words}" for part in ("reuse", "swap_in", "fork", "pin")]
    needs = "; ".join(state.words for state in rule.state) or "nothing beyond what every kernel has"
    lines = [f'"""{name}: never shipped; found by search (cowbench/search).', ""]
    return "\n".join([*lines, *(f"- {line}." for line in said), "", f"State: {needs}.", '"""', ""])


def _body(rule: Rule, marked: bool) -> Iterator[str]:
    yield '    kernels = "none: found by search"'
    if rule["fork"].ask.swapped:
        yield "    copies_swap_entries = True"
    yield from _method("flags", "", "KernelFlags", _flags(rule, marked))
    yield from _method("reuse", "fault: WriteFault", "Mask", rule["reuse"].code)
    yield from _method("swap_in", "fault: SwapIn", "Mask", rule["swap_in"].code)
    gate = _gate(rule)
    if "mm.has_pinned" in gate:
        yield from _method("on_pin", "mm: Mm, pages: int, longterm: bool", "None", "", "mm.has_pinned = True")
    if "mm.pins" in gate:
        yield from _method("on_pin", "mm: Mm, pages: int, longterm: bool", "None", "", "mm.pins += pages")
        yield from _method("on_unpin", "mm: Mm, pages: int, longterm: bool", "None", "", "mm.pins -= pages")
    if rule["fork"].name != "none":
        scan = '"all"' if gate == "True" else f'"all" if {gate} else "nothing"'
        yield from _method("early_scan", "mm: Mm", "Scan", scan)
        yield from _method("copy_early", "fork: ForkPages", "Mask", rule["fork"].code)
    if rule["pin"].code:
        yield from _method("unshare", "request: GupPages", "Mask", rule["pin"].code)


def _gate(rule: Rule) -> str:
    wanted = rule["fork"].name.partition("@")[2]
    return next(code for name, _, code, *_ in GATES if name == wanted)


def _method(name: str, arguments: str, answer: str, code: str, statement: str = "") -> Iterator[str]:
    yield ""
    yield f"    def {name}(self{', ' if arguments else ''}{arguments}) -> {answer}:"
    yield f"        {statement or f'return {_bare(code)}'}"


def _bare(code: str) -> str:
    """Drop parentheses around the whole of an expression."""
    inner = code[1:-1]
    return inner if re.fullmatch(r"\([^()]*(\([^()]*\)[^()]*)*\)", code) else code


def _flags(rule: Rule, marked: bool) -> str:
    """Return the expression of the kernel around a rule: what differs from 6.19."""
    wanted: dict[str, object] = {} if marked else {"anon_exclusive": False, "mprotect_maps_writable": "never"}
    wanted |= {} if marked else {"swapin_read_maps_writable": False}
    wanted |= {"fork_guard": False, "reclaim_refuses_pins": False}
    for part in FLAGGED:
        wanted |= rule[part].ask
    if rule["pin"].name == "break":
        wanted["reads_break_cow"] = True
    changed = {key: value for key, value in wanted.items() if (key, value) not in _AS_IN_6_19}
    if not changed:
        return "LINUX_6_19"
    shown = {key: f'"{value}"' if isinstance(value, str) else value for key, value in changed.items()}
    lines = "".join(f"            {key}={value},\n" for key, value in shown.items())
    return f"replace(\n            LINUX_6_19,\n{lines}        )"


_AS_IN_6_19 = {("fork_guard", True), ("reclaim_refuses_pins", True)}
