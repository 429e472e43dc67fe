"""provenance: where the numbers come from, and how to make them again."""

from typing import Any

from markupsafe import Markup

from cowbench.report import html
from cowbench.report.results import Results
from cowbench.report.section import Section

FACTS = ("started", "cells", "cowbench", "commit", "engine", "python", "numpy", "system", "machine")


class Provenance(Section):
    title = "Where this comes from"
    order = 60

    def render(self, results: Results) -> Markup:
        if not results.runs:
            return html.paragraph("Nothing was run yet.")
        parts = [html.table(["run", *FACTS], [_run(run) for run in results.runs], "Runs behind the rows shown")]
        if len({run.get("engine") for run in results.runs}) > 1:
            words = "These rows were made by more than one version of cowbench's model; run again to have one."
            parts.insert(0, html.paragraph(words, "warning"))
        commands = sorted({str(run.get("command", "")) for run in results.runs})
        parts += [html.paragraph("To make the rows again:"), html.bullets([html.code(command) for command in commands])]
        if results.profile is not None:
            rows: list[html.Cells] = [
                [n.replace("_", " "), html.Shaded(f"{c.ns:g}"), c.source] for n, c in results.profile.costs.items()
            ]
            parts.append(html.table(["cost", "ns", "source"], rows, f"Cost profile {results.profile.name}"))
        return html.join(parts)


def _run(run: dict[str, Any]) -> list[str | Markup]:
    facts = {**run, "commit": _commit(run)}
    return [str(run["run"]), *(str(facts.get(name, "unknown")) for name in FACTS)]


def _commit(run: dict[str, Any]) -> str:
    if not run.get("commit"):
        return "no checkout"
    return f"{run['commit'][:12]}{', with changes' if run.get('dirty') else ''}"
