"""Comparisons in words: the same sentences on a terminal and in the report."""

from __future__ import annotations

from fractions import Fraction

from cowbench import schema
from cowbench.statistics.intervals import Estimate
from cowbench.statistics.method import seeds_needed
from cowbench.statistics.planning import MOST
from cowbench.statistics.result import Comparison, Family
from cowbench.summary import number

_NOUNS = {
    "false_positive_copies": "needless copies",
    "frames_peak": "frames at the peak",
    "fork_ns_mean": "mean fork time",
    "fork_ns_p50": "median fork time",
    "fork_ns_p99": "fork time at the 99th percentile",
    "fork_ns_max": "longest fork time",
    "fault_ns_total": "fault time",
    "pin_ns_total": "pin time",
    "page_out_ns_total": "page-out time",
    "exit_ns_total": "exit time",
}
_UNITS = (("s", 1e9), ("ms", 1e6), ("µs", 1e3))
_TIMES = 2.0
"""From this ratio on, "2.5 times as many" is easier to read than "150 % more"."""


def noun(metric: str) -> str:
    """Return a metric as a noun for sentences: "needless copies"."""
    return _NOUNS.get(metric, metric.replace("_", " "))


def quantity(metric: str, value: float) -> str:
    """Write a value of a metric with its unit where it is not a count: "12.3 µs"."""
    if schema.METRICS[metric].kind == "count":
        return number(Fraction(value))
    unit, scale = next(((unit, scale) for unit, scale in _UNITS if abs(value) >= scale), ("ns", 1.0))
    return f"{three(value / scale)} {unit}"


def percent(share: float) -> str:
    """Write a share with two significant digits, never as 0 unless it is: "0.034 %"."""
    return f"{100 * share:.2g} %" if abs(share) < 0.0995 else f"{100 * share:,.0f} %"


def sentence(one: Comparison, family: Family) -> str:
    """Return a comparison as a sentence, with its verdict and what that rests on."""
    return f"On {one.workload}, {one.policy} {_claim(one, family)}."


def _claim(one: Comparison, family: Family) -> str:
    what, other = noun(one.metric), _other(one, family)
    if not one.pairs:
        return f"cannot be compared with {other} in {what}: untestable, because {one.why or 'there are no seeds'}"
    missing = f"; {one.missing} left out because {one.why}" if one.missing else ""
    if one.verdict == "identical":
        return f"has {_as(one)} {what} as {other}{_on_each(one)}: identical{missing}"
    if one.verdict in ("better", "worse"):
        return f"has {_difference(one, other)} ({_evidence(one, family)}{missing}): {one.verdict}"
    if one.verdict == "equivalent":
        margin = percent(family.method.margin or 0)
        return f"has {_difference(one, other)} ({_evidence(one, family)}{missing}): equivalent within {margin}"
    return _undecided(one, family, what, other) + missing


def _undecided(one: Comparison, family: Family, what: str, other: str) -> str:
    more = (
        f"about {one.more_seeds:,} more would probably settle it"
        if one.more_seeds
        else f"{MOST:,} would hardly settle it"
    )
    if one.verdict == "untestable":
        best = _p(one.p_reachable if one.p_reachable is not None else 1.0)
        moving = one.wins + one.losses
        few = f"only {moving} of {_seeds(one)} differ" if moving < one.pairs else f"there are only {_seeds(one)}"
        need = f"a family of {family.size:,} needs {seeds_needed(family.size, family.method.alpha)} that differ"
        return f"is untestable against {other} in {what}: {few}, so p is {best} at best; {need}"
    least = "" if one.showable is None else f" of {_size(one, one.showable)}"
    return f"shows no difference to {other} in {what}: {_seeds(one)} could have shown one{least}; {more}"


def effect(one: Comparison) -> str:
    """Say how far a value is from the other: "31 % fewer", "2.5 times", "12 more"; there must be a difference."""
    assert one.difference is not None
    if one.ratio is not None and one.ratio.value >= _TIMES:
        return f"{three(one.ratio.value)} times"
    up = (one.ratio.value > 1) if one.ratio is not None else one.difference.value > 0
    way = "more" if up else "fewer" if schema.METRICS[one.metric].kind == "count" else "less"
    size = abs(one.ratio.value - 1) if one.ratio is not None else abs(one.difference.value)
    return f"{_size(one, size)} {way}"


def _difference(one: Comparison, other: str) -> str:
    """Say how far and from what: "31 % fewer copies than page_count", "2.5 times as many copies as page_count"."""
    words = effect(one)
    if words.endswith("times"):
        return f"{words} {_as(one)} {noun(one.metric)} as {other}"
    return f"{words} {noun(one.metric)} than {other}"


def _size(one: Comparison, size: float) -> str:
    return percent(size) if one.ratio is not None else quantity(one.metric, size)


def _evidence(one: Comparison, family: Family) -> str:
    assert one.policy_mean is not None
    assert one.against_mean is not None
    means = f"{quantity(one.metric, one.policy_mean)} against {quantity(one.metric, one.against_mean)}"
    if one.exact:
        return f"{means}, exact" if one.pairs == 1 else f"{means} on each of {_seeds(one)}, exact"
    p = "" if one.p_adjusted is None else f", p = {_p(one.p_adjusted)} in a family of {family.size:,}"
    return f"{means}{interval(one, family)}, {_seeds(one)}{p}"


def interval(one: Comparison, family: Family) -> str:
    """Write the confidence interval of what is told: of the ratio if there is one, else of the difference."""
    found: Estimate | None = one.ratio or one.difference
    if found is None or found.low is None or found.high is None:
        return ""
    level = percent(1 - family.method.alpha)
    if one.ratio is None:
        low, high = (quantity(one.metric, end) for end in (found.low, found.high))
        return f", {level} interval of the difference {low} to {high}"
    if found.value >= _TIMES:
        return f", {level} interval {three(found.low)} to {three(found.high)} times"
    return f", {level} interval {_signed(found.low - 1)} to {_signed(found.high - 1)}"


def _signed(share: float) -> str:
    return ("-" if share < 0 else "+") + percent(abs(share))


def three(value: float) -> str:
    """Write a number with three significant digits, or all that it has before the point."""
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def _as(one: Comparison) -> str:
    return "as many" if schema.METRICS[one.metric].kind == "count" else "as much"


def _on_each(one: Comparison) -> str:
    return "" if one.pairs == 1 else f" on each of {_seeds(one)}"


def _seeds(one: Comparison) -> str:
    return f"{one.pairs:,} seed{'s' * (one.pairs != 1)}"


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 0.0001 else "below 0.0001"


def _other(one: Comparison, family: Family) -> str:
    return one.against if family.between == "policies" else f"in {one.against}"
