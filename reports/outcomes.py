"""outcomes: what each policy leaks, loses, tears or fails to copy at fork, and on which workloads."""

from collections.abc import Iterator

from cowbench import schema
from cowbench.report.model import Block, Bullets, Line, Paragraph, Strong, Table
from cowbench.report.prose import listed, series, spaced
from cowbench.report.results import LOSSES, Results
from cowbench.report.section import Section
from cowbench.summary import number

COLUMNS = (*LOSSES, "torn_snapshots", "missed_early_copies", "lost_pins_documented")


class Outcomes(Section):
    title = "Outcomes: leaks, losses and torn snapshots"
    order = 40

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            yield Paragraph("No trials, no outcomes.")
            return
        head = ("policy", "verdict", *map(spaced, COLUMNS))
        rows = tuple(_row(results, policy) for policy in results.policies)
        yield Table("outcomes", "Outcomes by policy: sums over seeds, and the workloads that show them", head, rows)
        yield Bullets(tuple((Strong(spaced(name)), f": {schema.METRICS[name].description}.") for name in COLUMNS))


def _row(results: Results, policy: str) -> Line:
    found = [results.where(policy, name) for name in COLUMNS]
    verdict = series(results.losses(policy)) or "leaks and loses nothing"
    counts = (f"{number(sum(where.values()))}: {listed(where)}" if where else "0" for where in found)
    return (policy, verdict, *counts)
