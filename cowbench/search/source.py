"""A rule as a policy file, as short as those of past kernels."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from cowbench.kernels import LINUX_6_19
from cowbench.search.grammar import FLAGGED, GATES, PARTS, SAYS, UNMARKED_KERNEL, Rule

_LINE = 120


def source(rule: Rule, name: str) -> str:
    """Return the text of a policy file that follows a rule; it passes `cowbench check`."""
    base = "Policy" if rule["fork"].name == "none" else "EarlyCopyPolicy"
    body = "\n".join(_body(rule, bool(rule.family.state)))
    used = [known for known in ("ForkPages", "GupPages", "Mask", "Mm", "Scan", "SwapIn", "WriteFault") if known in body]
    imports = ["from dataclasses import replace", ""] if "replace(" in body else []
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
    said = [_wrapped(f"- {SAYS[part]} {rule[part].words}.", "  ") for part in PARTS]
    needs = "; ".join(state.words for state in rule.state) or "nothing that not every kernel has"
    first = f'"""{name}: never shipped; found by a search of rules (cowbench/search).'
    return "\n".join([first, "", *said, "", _wrapped(f"State: {needs}."), '"""', ""])


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _LINE, subsequent_indent=indent)


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
    wanted: dict[str, object] = {} if marked else dict(UNMARKED_KERNEL)
    for part in FLAGGED:
        wanted |= rule[part].ask
    wanted["reads_break_cow"] = rule["pin"].name == "break"
    changed = {key: value for key, value in wanted.items() if value != getattr(LINUX_6_19, key)}
    if not changed:
        return "LINUX_6_19"
    shown = {key: f'"{value}"' if isinstance(value, str) else value for key, value in changed.items()}
    lines = "".join(f"            {key}={value},\n" for key, value in shown.items())
    return f"replace(\n            LINUX_6_19,\n{lines}        )"
