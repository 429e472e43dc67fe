"""provenance: where the numbers come from, and how to make them again."""

from collections.abc import Iterator
from typing import Any

from cowbench.report.model import Block, Bullets, Cell, Code, Paragraph, Table
from cowbench.report.prose import spaced
from cowbench.report.results import Results
from cowbench.report.section import Section

FACTS = ("started", "cells", "cowbench", "commit", "engine", "python", "numpy", "system", "machine")


class Provenance(Section):
    title = "Where this comes from"
    order = 60

    def build(self, results: Results) -> Iterator[Block]:
        if not results.runs:
            yield Paragraph("Nothing was run yet.")
            return
        if len({run.get("engine") for run in results.runs}) > 1:
            words = "These rows were made by more than one version of cowbench's model; run again to have one."
            yield Paragraph(words, "warning")
        yield Table("runs", "Runs behind the rows shown", ("run", *FACTS), tuple(map(_run, results.runs)))
        commands = sorted({str(run.get("command", "")) for run in results.runs})
        yield Paragraph("To make the rows again:")
        yield Bullets(tuple(map(Code, commands)))
        if results.profile is not None:
            costs = tuple(
                (spaced(name), Cell(f"{cost.ns:g}", cost.ns), cost.source)
                for name, cost in results.profile.costs.items()
            )
            yield Table("costs", f"Cost profile {results.profile.name}", ("cost", "ns", "source"), costs)


def _run(run: dict[str, Any]) -> tuple[str, ...]:
    facts = {**run, "commit": _commit(run)}
    return (str(run["run"]), *(str(facts.get(name, "unknown")) for name in FACTS))


def _commit(run: dict[str, Any]) -> str:
    if not run.get("commit"):
        return "no checkout"
    return f"{run['commit'][:12]}{', with changes' if run.get('dirty') else ''}"
