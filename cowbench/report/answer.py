"""The answer in sentences: who copies least, by how much, how sure that is, and what it breaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from cowbench.ledger import CAUSES
from cowbench.report.model import Link, Strong, Words
from cowbench.report.prose import cause as cause_name
from cowbench.report.prose import plural, series
from cowbench.report.results import BROKEN, LOSSES, VERBS, Results
from cowbench.summary import number

PLACES = 3
"""Workloads named in a sentence; the rest are counted, and section "outcomes" names all."""


def answer(results: Results) -> Iterator[Words]:
    """Yield the sentences that stand first: the winner and the one behind it, the yardstick, what the winner loses."""
    clean = results.least(BROKEN)
    if not results.finished:
        yield "No trial came to its end, so there is nothing to compare."
    elif len(results.finished) == 1:
        yield f"There is one policy only, {results.finished[0]}, so there is nothing to compare it with."
    elif not results.common:
        yield "No workload was run to its end by every policy with the same seeds, so nothing can be summed or ranked."
    elif not clean:
        yield "Every policy leaks or loses pins on some workload, so none is recommended."
    else:
        yield (Strong(clean[0]), f" copies least of those that leak nothing and lose no pin: {_first(results, clean)}")
        yield from _yardstick(results, clean[0])
        yield from _strict(results, clean[0])


def _first(results: Results, clean: Sequence[str]) -> str:
    """Give the winner's numbers, and hold the next candidate against it."""
    copies, needless = (results.sums(metric) for metric in ("copies", "false_positive_copies"))
    where = plural(len(results.common), "workload")
    own = f"{number(copies[clean[0]])} pages, {number(needless[clean[0]])} of them needlessly, in sum over {where}."
    if len(clean) == 1:
        return own
    return f"{own} Next is {clean[1]} with {apart(copies[clean[1]], copies[clean[0]])}{_verdicts(results, *clean[:2])}."


def _verdicts(results: Results, best: str, policy: str) -> str:
    """Say on how many workloads a policy is better or worse than the best, if that was tested."""
    if results.family is None or results.reference != best:
        return ""
    counts = Counter(one.verdict for one in results.family.of(policy=policy, metric="copies"))
    words = [f"{verdict} on {times}" for verdict, times in counts.most_common()]
    return f": {series(words)} of {plural(counts.total(), 'workload')}, controls aside" if words else ""


def _yardstick(results: Results, best: str) -> Iterator[Words]:
    copies = results.sums("copies")
    for oracle in sorted(results.oracles & set(results.finished)):
        yield f"{oracle}, which sees what no kernel can, has {apart(copies[oracle], copies[best])}."


def _strict(results: Results, best: str) -> Iterator[Words]:
    """Say what the winner loses nevertheless, and who loses nothing at all."""
    lost = results.where(best, "lost_gets")
    if not lost:
        return
    strict = results.least(LOSSES)
    copies = results.sums("copies")
    found = f"{best} loses FOLL_GET references on {places(lost)}"
    if strict:
        yield f"{found}; {strict[0]} is the best that loses none, with {apart(copies[strict[0]], copies[best])}."
    else:
        yield f"{found}; no policy loses none."


def apart(value: Fraction, reference: Fraction) -> str:
    """Say how many copies one has beside another: "5.8 times as many (1,472,211)", "0.15 % fewer (254,142.8)"."""
    if value == reference:
        return f"as many ({number(value)})"
    if not reference:
        return f"{number(value)} against none"
    ratio = value / reference
    if ratio >= 2:
        return f"{float(ratio):.1f} times as many ({number(value)})"
    share = f"{100 * abs(float(ratio) - 1):.2g} %"
    return f"{share} {'more' if ratio > 1 else 'fewer'} ({number(value)})"


def price(results: Results) -> Iterator[Words]:
    """Yield who copies less than the winner, and what that costs."""
    copies = results.sums("copies")
    others = [policy for policy in results.finished if policy not in results.oracles]
    fewer = [policy for policy in others if results.best is not None and copies[policy] < copies[results.best]]
    if fewer:
        does, breaks = ("copies", "leaks or loses") if len(fewer) == 1 else ("copy", "leak or lose")
        yield f"{series(fewer)} {does} less than {results.best}, and {breaks} pins."


def needless(results: Results) -> Iterator[Words]:
    """Yield what most of the winner's needless copies come from."""
    best = results.best
    if best is None or not results.sums("false_positive_copies")[best]:
        return
    sums = {cause: results.sums(f"false_positive_cause_{cause}")[best] for cause in CAUSES}
    most = max(CAUSES, key=lambda cause: sums[cause])
    share = 100 * float(sums[most] / results.sums("false_positive_copies")[best])
    yield (
        f"{share:.0f} % of {best}'s needless copies come from {cause_name(most)} (",
        Link("all causes", "causes"),
        ").",
    )


def certainty(results: Results) -> Iterator[Words]:
    """Yield how sure the comparisons are."""
    family = results.family
    if family is None or not family.comparisons:
        return
    every, exact = len(family.comparisons), sum(one.exact for one in family.comparisons)
    what = f"held against {results.reference} in copies, needless copies and fork time, on all workloads but controls"
    sure = f"How sure: {what}, {number(exact)} of {number(every)} comparisons are exact"
    if exact < every:
        alpha = f"{100 * family.method.alpha:g} %"
        sure += (
            f"; the others are tested over seeds, with a chance of {alpha} at most that any verdict is a false alarm"
        )
    undecided = Counter(one.verdict for one in family.comparisons if one.open)
    words = series([f"{verdict} on {times}" for verdict, times in sorted(undecided.items())])
    yield f"{sure}. Undecided: {words or 'none'}."


def losses(results: Results) -> Iterator[Words]:
    """Yield what each policy breaks, where, and what it did there that explains it."""
    for policy in results.policies:
        found = [(VERBS[loss], results.where(policy, loss)) for loss in LOSSES]
        words = [f"{verb} on {places(where)}" for verb, where in found if where]
        if words:
            yield (Strong(policy), f" {'; '.join(words)}{_why(results, policy)}.")


def _why(results: Results, policy: str) -> str:
    """Say how many of the pages behind lost references fork had shared instead of copying."""
    lost = results.where(policy, "lost_pins").keys() | results.where(policy, "lost_gets").keys()
    missed = {name: times for name, times in results.where(policy, "missed_early_copies").items() if name in lost}
    if not missed:
        return ""
    return f" (fork shared {number(sum(missed.values()))} referenced pages there)"


def torn(results: Results) -> Iterator[Words]:
    """Yield who lets snapshots tear, and where."""
    found = [policy for policy in results.policies if results.where(policy, "torn_snapshots")]
    if found:
        where = sorted({place for policy in found for place in results.where(policy, "torn_snapshots")})
        yield f"Torn snapshots (children that are no instant of their parent) on {series(where)}: {series(found)}."


def places(where: Mapping[str, int | Fraction]) -> str:
    """Name the workloads with most of something, and how many others there are."""
    names = sorted(where, key=lambda name: (-where[name], name))
    return series(names, PLACES, "other workloads")
