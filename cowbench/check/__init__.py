"""Holding a plug-in to its contract: what `cowbench check FILE` does, for anybody's plug-ins and our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cowbench import plugins
from cowbench.errors import CowbenchError
from cowbench.spec import PluginSpec


@dataclass(frozen=True)
class Finding:
    """One promise of the contract, and how it is broken (None: it is kept)."""

    promise: str
    problem: str | None


class Broken(Exception):
    """Raised inside a check: the promise does not hold, and how."""


def check(spec: PluginSpec) -> Iterator[Finding]:
    """Yield a finding for every promise that a plug-in of this kind makes."""
    from cowbench.check import policies, sections, workloads

    promises = {
        "policy": {**_PARAMETRISED, **policies.PROMISES},
        "workload": {**_PARAMETRISED, **workloads.PROMISES},
        "section": sections.PROMISES,
    }[spec.kind]
    for promise, test in {"says what it is": _described, **promises}.items():
        yield Finding(promise, _problem(test, spec))


def _problem(test: Callable[[PluginSpec], None], spec: PluginSpec) -> str | None:
    try:
        test(spec)
    except (Broken, CowbenchError) as error:
        return str(error)
    except Exception as error:  # whatever a plug-in raises is a finding, not our end
        line = plugins.line_in(error, plugins.locate(spec.kind, spec.file))
        return f"line {line}: {plugins.words_of(error)}" if line else plugins.words_of(error)
    return None


def _described(spec: PluginSpec) -> None:
    if not plugins.describe(plugins.load(spec.kind, spec.file)):
        raise Broken('the file has no docstring; begin it with """name: what it is."""')


def _parameters(spec: PluginSpec) -> None:
    plugin: Any = spec.build()
    cls = type(plugin)
    cls()  # the defaults must be within their own ranges
    if cls.from_values(dict(plugin.values())) != plugin:
        raise Broken("built from its own values it is another one; parameters must be plain values")


_PARAMETRISED: dict[str, Callable[[PluginSpec], None]] = {"parameters have valid defaults": _parameters}
