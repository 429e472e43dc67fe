"""same: what should not differ: a policy and itself, and policies on controls."""

from collections.abc import Iterator

from cowbench import statistics
from cowbench.report.model import Block, Cell, Heading, Paragraph, Table, count
from cowbench.report.prose import plural, series
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.statistics import HEADLINE, FalseAlarms
from cowbench.statistics.words import noun, percent


class Same(Section):
    title = "False alarms and controls"
    order = 90

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            yield Paragraph("No trials, no false alarms.")
            return
        yield Heading("A policy against itself")
        yield from _alarms(statistics.false_alarms(results.frame, method=results.method))
        yield Heading("Controls")
        yield from _controls(results)


def _alarms(found: list[FalseAlarms]) -> Iterator[Block]:
    *each, every = found
    if every.rate is None or every.low is None or every.high is None:
        yield Paragraph("No sampled cell has four seeds that are not all alike, so there is nothing to split.")
        return
    yield Paragraph(
        f"Random halves of one policy's own seeds were called different in {percent(every.rate)} of {every.splits:,} "
        f"tests at 5 % ({percent(every.low)} to {percent(every.high)} at 95 %), each test alone; "
        f"{every.constant:,} more cells are constant and cannot give an alarm."
    )
    rows = tuple(
        (
            noun(one.metric) if one.metric != "all" else "all",
            count(one.cells),
            count(one.constant),
            count(one.splits),
            count(one.alarms),
            Cell("–") if one.rate is None else Cell(percent(one.rate), one.rate),
            Cell("–") if one.low is None or one.high is None else f"{percent(one.low)} to {percent(one.high)}",
        )
        for one in (*each, every)
    )
    head = ("metric", "cells that vary", "constant cells", "tests", "alarms", "rate", "95 % interval")
    yield Table("alarms", "False alarms on halves of one policy's seeds", head, rows)


def _controls(results: Results) -> Iterator[Block]:
    names = statistics.controls(results.frame)
    if not names or results.family is None or results.reference is None:
        yield Paragraph("There is no control among the workloads, or nothing to compare on it.")
        return
    family = statistics.compare(results.frame, results.reference, HEADLINE, workloads=names, method=results.method)
    moved = sorted({one.policy for one in family.comparisons if one.moved})
    failed = [one for one in family.comparisons if not one.pairs]
    others = len({one.policy for one in family.comparisons})
    still = f"{series(moved)} {'differs' if len(moved) == 1 else 'differ'}" if moved else "none differs"
    yield Paragraph(
        f"On {series(names)}, which are controls, {plural(others, 'policy', 'policies')} were held against "
        f"{results.reference}: {still}." + (f" {plural(len(failed), 'comparison')} lacked results." if failed else "")
    )
    rows = tuple(
        (
            one.workload,
            Cell(one.policy, group=one.policy),
            noun(one.metric),
            one.verdict,
            f"{one.wins}/{one.ties}/{one.losses}",
        )
        for one in family.comparisons
        if one.verdict != "identical"
    )
    if rows:
        head = ("control", "policy", "metric", "verdict", "win/tie/loss")
        yield Table("controls", f"What is not identical to {results.reference} on controls", head, rows)
