"""matrix: copies, needless copies and fork latency of every policy on every workload."""

from collections.abc import Iterator
from fractions import Fraction

from cowbench.report import tables
from cowbench.report.model import Block, Paragraph, Switch
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.summary import Cell, Table


class Matrix(Section):
    title = "Every policy on every workload"
    order = 20

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            yield Paragraph("No trials, nothing to compare.")
            return
        yield Paragraph(
            "Means over seeds; less is better throughout. Shaded is what lies above the line's median, the darker the "
            "further, in orders of magnitude. Few copies are no merit of a policy that leaks: see the next section."
        )
        if any(row["status"] != "ok" for row in results.rows):
            words = "* a seed ran out of frames and was counted up to there; ! a seed failed; n/a cannot be staged."
            yield Paragraph(words, "note")
        yield Switch("Show", tuple(_choice(results, *choice) for choice in METRICS))


METRICS = (
    ("Copies", "copies", "copies", "Copies: pages copied, needed or not"),
    ("Needless copies", "false_positive_copies", "needless", "Needless copies: of frames that nobody else observed"),
    ("Fork latency", "fork_ns_mean", "fork-latency", "Fork latency: mean modelled time of a fork, in microseconds"),
)
"""Name, column of the result table, name of the table, caption."""


def _choice(results: Results, label: str, metric: str, name: str, caption: str) -> tuple[str, tuple[Block, ...]]:
    values = results.table(metric)
    if metric.endswith("_ns_mean"):
        values = _microseconds(values)
    if not any(cell.values for cell in values.values()):
        return label, (Paragraph("Nothing of this was counted on any workload."),)
    return label, (tables.matrix(name, caption, values, results.everyone, results.workloads),)


def _microseconds(table: Table) -> Table:
    return {pair: Cell(tuple(Fraction(ns, 1000) for ns in cell.values), cell.status) for pair, cell in table.items()}
