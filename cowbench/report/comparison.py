"""Comparisons as sentences and tables: the same in the report and on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from cowbench.report.model import Block, Bullets, Cell, Fold, Line, Paragraph, Switch, Table, Tone
from cowbench.report.prose import plural, series
from cowbench.statistics import VERDICTS, Comparison, Family, Verdict, sentence
from cowbench.statistics.intervals import Estimate
from cowbench.statistics.words import effect, noun, percent, quantity, three

TONES: dict[Verdict, Tone] = {"better": "good", "worse": "bad", "no difference shown": "unsure", "untestable": "unsure"}
_SHORT = 40
"""Longer tables are folded away."""
_SENTENCES = 12
"""Sentences told one by one; all are in the table."""


def told(family: Family) -> Iterator[Block]:
    """Yield what came out in sentences, then what differs or is open as a table.

    Of policies, the table leaves out exact comparisons, of which matrices say all there is.
    """
    yield Paragraph(overview(family))
    ones = [one for one in family.comparisons if one.verdict != "identical"]
    if family.between == "stores":
        chosen = sorted(ones, key=lambda one: (list(VERDICTS).index(one.verdict) != 2, one.verdict))
    else:
        chosen = [one for one in ones if one.verdict in ("no difference shown", "untestable", "equivalent")]
    if chosen:
        yield Bullets(tuple(sentence(one, family) for one in chosen[:_SENTENCES]))
    if len(chosen) > _SENTENCES:
        yield Paragraph(f"{len(chosen) - _SENTENCES:,} more stand in the table below.")
    listed = [one for one in ones if family.between == "stores" or not one.exact]
    if listed:
        table = listing(family, listed)
        yield Fold(f"{table.caption} ({len(listed):,})", (table,)) if len(listed) > _SHORT else table


def overview(family: Family) -> str:
    """Say how many comparisons there are, how they were judged, and how many have which verdict."""
    counts = Counter(one.verdict for one in family.comparisons)
    if not counts:
        return "There is nothing to compare."
    metrics = [noun(name) for name in dict.fromkeys(one.metric for one in family.comparisons)]
    what = f"{plural(len(family.comparisons), 'comparison')} of {series(metrics)}"
    level = percent(family.method.alpha)
    judged = f", {family.size:,} of them sampled and judged together: any false better or worse has a chance of {level}"
    if set(counts) == {"identical"}:
        return f"Nothing differs: {what}, all identical."
    found = series([f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict]])
    return f"{what}{judged if family.size else ', all exact'}. {found}."


def matrix(family: Family, metric: str, policies: Sequence[str], workloads: Sequence[str]) -> Table:
    """Return a metric with a line a workload and a column a policy: how far each is from the baseline."""
    found = {(one.workload, one.policy): one for one in family.comparisons if one.metric == metric}
    rows: tuple[Line, ...] = tuple(
        (workload, *(_brief(found.get((workload, policy)), policy) for policy in policies)) for workload in workloads
    )
    head: Line = ("workload", *(Cell(policy, group=policy) for policy in policies))
    return Table(f"against-{metric.replace('_', '-')}", f"{noun(metric).capitalize()} against the baseline", head, rows)


def matrices(family: Family, metrics: Sequence[str]) -> Switch:
    """Return the matrices of all metrics, of which the page shows one."""
    policies = list(dict.fromkeys(one.policy for one in family.comparisons))
    choices = []
    for metric in metrics:
        workloads = sorted({one.workload for one in family.comparisons if one.metric == metric})
        choices.append((noun(metric), (matrix(family, metric, sorted(policies), workloads),)))
    return Switch("Metric", tuple(choices))


def listing(family: Family, ones: Sequence[Comparison]) -> Table:
    """Return comparisons with their estimates, intervals, effect sizes and p."""
    level = percent(1 - family.method.alpha)
    head = (
        "workload",
        "policy",
        "metric",
        "verdict",
        "value",
        "against",
        f"ratio ({level} interval)",
        f"difference ({level} interval)",
        "win/tie/loss",
        "Cliff's delta",
        "p (Holm)",
    )
    sampled = "sampled " if family.between == "policies" else ""
    caption = f"Every {sampled}comparison with {family.comparisons[0].against} that is not identical"
    return Table("comparisons", caption, head, tuple(map(_row, ones)))


def _row(one: Comparison) -> Line:
    return (
        one.workload,
        Cell(one.policy, group=one.policy),
        noun(one.metric),
        Cell(one.verdict, tone=TONES.get(one.verdict, "")),
        _quantity(one, one.policy_mean),
        _quantity(one, one.against_mean),
        _estimated(one.ratio, three),
        _estimated(one.difference, partial(quantity, one.metric)),
        f"{one.wins}/{one.ties}/{one.losses}",
        Cell("–") if one.cliffs_delta is None else Cell(f"{one.cliffs_delta:+.2f}", one.cliffs_delta),
        Cell("exact" if one.exact else "–")
        if one.p_adjusted is None
        else Cell(f"{one.p_adjusted:.2g}", one.p_adjusted),
    )


def _quantity(one: Comparison, value: float | None) -> Cell:
    return Cell("–") if value is None else Cell(quantity(one.metric, value), value)


def _estimated(found: Estimate | None, write: Callable[[float], str]) -> Cell:
    if found is None:
        return Cell("–")
    if found.low is None or found.high is None:
        return Cell(f"{write(found.value)} ({'exact' if found.way == 'exact' else 'too few seeds'})", found.value)
    return Cell(f"{write(found.value)} ({write(found.low)} to {write(found.high)})", found.value)


def _brief(one: Comparison | None, policy: str) -> Cell:
    if one is None:
        return Cell("", group=policy)
    if one.verdict == "identical":
        return Cell("=", 0, group=policy)
    if one.difference is None or one.verdict in ("untestable", "no difference shown"):
        return Cell({"no difference shown": "not shown"}.get(one.verdict, one.verdict), tone="unsure", group=policy)
    return Cell(effect(one), one.difference.value, tone=TONES.get(one.verdict, ""), group=policy)
