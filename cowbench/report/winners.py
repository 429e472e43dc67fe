"""Who is best at what: tables of the first section."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from cowbench.ledger import CAUSES
from cowbench.report.model import Cell, Line, Table, count
from cowbench.report.prose import cause as cause_name
from cowbench.report.prose import plural, series, spaced
from cowbench.report.results import BROKEN, LOSSES, Results

METRICS = {
    "copies": "copies",
    "false_positive_copies": "needless copies",
    "fork_ns_mean": "time of a fork on each workload, µs",
}
"""Headline metrics, all of which are better the lower they are, and what their sums are."""


def winners(results: Results) -> Table | None:
    """Return the best and the next of those that leak nothing and lose no pin in each headline metric, if any."""
    candidates = results.least(BROKEN)
    if not candidates:
        return None
    head: Line = ("in", "best", "sum", "next", "sum", "how sure")
    caption = "Who is best at what, of those that leak nothing and lose no pin: sums over workloads"
    return Table("winners", caption, head, tuple(_winner(results, metric, candidates) for metric in METRICS))


def _winner(results: Results, metric: str, candidates: list[str]) -> Line:
    sums = results.sums(metric)
    first, *others = sorted(candidates, key=lambda policy: (sums[policy], candidates.index(policy)))
    after: Line = (_name(others[0]), _sum(metric, sums[others[0]])) if others else ("none", "")
    return (METRICS[metric], _name(first), _sum(metric, sums[first]), *after, _sure(results, metric, first, others))


def _sure(results: Results, metric: str, first: str, others: list[str]) -> str:
    """Say how the best fares against the reference on the workloads, or the next if the best is the reference."""
    policy = first if first != results.reference else next(iter(others), "")
    if results.family is None or not policy:
        return "nothing to compare with"
    verdicts = Counter(one.verdict for one in results.family.of(policy=policy, metric=metric))
    words = [f"{verdict} on {times}" for verdict, times in verdicts.most_common()]
    return f"{policy} against {results.reference}: {series(words) or 'nothing to compare'}"


def _name(policy: str) -> Cell:
    return Cell(policy, group=policy)


def _sum(metric: str, value: Fraction) -> Cell:
    return count(value / 1000 if metric.endswith("_ns_mean") else value)


def ranking(results: Results) -> Table:
    """Return all policies with the numbers behind their rank."""
    head: Line = ("policy", "verdict", "copies", "needless", "mostly because of", *map(spaced, LOSSES))
    where = plural(len(results.common), "workload")
    caption = f"Policies by what they lose, then by copies: sums over the {where} that all ran to the end"
    rows = tuple(_ranked(results, policy) for policy in results.ranking if policy in results.finished)
    return Table("ranking", caption, head, rows)


def _ranked(results: Results, policy: str) -> Line:
    copies, needless = (results.sums(metric)[policy] for metric in ("copies", "false_positive_copies"))
    lost = [count(sum(results.where(policy, loss).values())) for loss in LOSSES]
    return (_name(policy), verdict(results, policy), count(copies), count(needless), _cause(results, policy), *lost)


def verdict(results: Results, policy: str) -> Cell:
    """Return in words what a policy leaks or loses anywhere."""
    lost = results.losses(policy)
    return Cell(series(lost) or "leaks and loses nothing", tone="bad" if lost else "good")


def _cause(results: Results, policy: str) -> str:
    sums = {cause: results.sums(f"false_positive_cause_{cause}")[policy] for cause in CAUSES}
    most = max(CAUSES, key=lambda cause: sums[cause])
    return cause_name(most) if sums[most] else "none"
