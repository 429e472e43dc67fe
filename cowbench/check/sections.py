"""What is asked of a section of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cowbench import costs, schema
from cowbench.check import Broken
from cowbench.report import assembly
from cowbench.report.model import Block
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.schema import Row
from cowbench.spec import PluginSpec


def _titled(spec: PluginSpec) -> None:
    if not _section(spec).title:
        raise Broken("has no title")


def _draws_nothing(spec: PluginSpec) -> None:
    _body(spec, Results([], []))


def _draws_failures(spec: PluginSpec) -> None:
    failed = dict.fromkeys(schema.METRICS) | {"status": "failed", "error": "it broke"}
    _body(spec, Results([_row("a") | failed], [_run()]))


def _draws_alike(spec: PluginSpec) -> None:
    results = Results([_row("a"), _row("b")], [_run()])
    if _body(spec, results) != _body(spec, results):
        raise Broken("the same rows gave other parts the second time")


def _draws_one_policy(spec: PluginSpec) -> None:
    _body(spec, Results([_row("a")], [_run()]))


PROMISES: dict[str, Callable[[PluginSpec], None]] = {
    "has a title": _titled,
    "draws an empty store": _draws_nothing,
    "draws failed trials": _draws_failures,
    "draws one policy": _draws_one_policy,
    "draws the same rows alike": _draws_alike,
}


def _section(spec: PluginSpec) -> Section:
    from cowbench import plugins

    section: Section = plugins.load(spec.kind, spec.file)()
    return section


def _body(spec: PluginSpec, results: Results) -> tuple[Block, ...]:
    return assembly.parts(_section(spec), Path(spec.file), results)


def _row(policy: str) -> Row:
    counts = dict.fromkeys(schema.METRICS, 1)
    texts = {name: "x" for name in schema.BY_NAME if name not in schema.METRICS}
    return (
        texts
        | counts
        | {"policy": policy, "seed": 0, "sees_truth": 0, "control": 0, "curve": "", "status": "ok", "error": None}
    )


def _run() -> dict[str, object]:
    return {"run": 1, "started": "", "cells": 1, "command": "", "profile": costs.read_profile().to_json()}
