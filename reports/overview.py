"""overview: what was found, in sentences and one table."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from cowbench.report.model import Block, Bullets, Code, Line, Paragraph, Table, count
from cowbench.report.picture import picture
from cowbench.report.prose import plural, series, spaced
from cowbench.report.results import LOSSES, VERBS, Results
from cowbench.report.section import Section
from cowbench.summary import number

PLACES = 3
"""Workloads named in a sentence; the rest are counted, and the outcomes below name all."""


class Overview(Section):
    title = "What was found"
    order = 10

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            words = (
                "This store holds no trials yet. Fill it with ",
                Code("cowbench run"),
                " and write the report again.",
            )
            yield Paragraph(words)
            return
        yield from _failures(results)
        yield Bullets((*_extent(results), *_clean(results), *_losses(results), *_torn(results)))
        yield picture(results)
        yield _ranking(results)


def _extent(results: Results) -> Iterator[str]:
    policies, workloads = len(results.policies), len(results.workloads)
    yield (
        f"{plural(len(results.rows), 'trial')}: {plural(policies, 'policy', 'policies')} on "
        f"{plural(workloads, 'workload')}. Copies are means over seeds; losses are sums over them."
    )
    if policies == 1:
        yield "There is one policy only, so there is nothing to compare it with."
    left_out = sorted(set(results.workloads) - set(results.common))
    if left_out:
        yield f"Left out of sums, because not every policy ran the same seeds to the end: {series(left_out)}."


def _clean(results: Results) -> Iterator[str]:
    """Say who copies least without any loss, then who does if FOLL_GET is set aside."""
    none_lost = _least(results, LOSSES)
    pins_kept = _least(results, LOSSES[:2])
    if none_lost:
        yield f"Leaking and losing nothing on any workload, {_copies(results, none_lost)}."
    else:
        yield "Every policy leaks or loses something on some workload."
    if pins_kept != none_lost:
        yield f"Leaking nothing and losing no pin, but FOLL_GET references, {_copies(results, pins_kept)}."
    oracles = [f"{policy} {number(results.sums('copies')[policy])}" for policy in sorted(results.oracles)]
    if oracles:
        yield f"For comparison, seeing what no kernel can see: {series(oracles)} pages."


def _least(results: Results, losses: tuple[str, ...]) -> list[str]:
    """Return the policies with the fewest copies of those without these losses, oracles aside."""
    candidates = [
        policy
        for policy in results.policies
        if policy not in results.oracles and not any(results.where(policy, loss) for loss in losses)
    ]
    copies = results.sums("copies")
    return [policy for policy in candidates if copies[policy] == min(copies[other] for other in candidates)]


def _copies(results: Results, policies: list[str]) -> str:
    copies, needless = (results.sums(metric)[policies[0]] for metric in ("copies", "false_positive_copies"))
    verb = "copies" if len(policies) == 1 else "copy"
    return (
        f"{series(policies)} {verb} least: {number(copies)} pages, {number(needless)} of them needlessly, in sum "
        f"over {len(results.common)} workloads"
    )


def _losses(results: Results) -> Iterator[str]:
    for policy in results.policies:
        found = {VERBS[loss]: results.where(policy, loss) for loss in LOSSES}
        words = [f"{verb} on {_places(where)}" for verb, where in found.items() if where]
        if words:
            yield f"{policy} {'; '.join(words)}."


def _places(where: Mapping[str, int | Fraction]) -> str:
    names = sorted(where, key=lambda name: (-where[name], name))
    if len(names) > PLACES + 1:
        names = [*names[:PLACES], f"{len(names) - PLACES} other workloads"]
    return series(names)


def _torn(results: Results) -> Iterator[str]:
    torn = [policy for policy in results.policies if results.where(policy, "torn_snapshots")]
    if torn:
        places = sorted({place for policy in torn for place in results.where(policy, "torn_snapshots")})
        yield (
            f"Torn snapshots (children that are no single instant of their parent) come from {series(torn)}, "
            f"on {series(places)}."
        )


def _failures(results: Results) -> Iterator[Paragraph]:
    errors: dict[str, int] = {}
    for row in results.rows:
        if row["status"] == "failed":
            errors[row["error"]] = errors.get(row["error"], 0) + 1
    for error, times in sorted(errors.items()):
        yield Paragraph(f"{plural(times, 'trial')} failed: {error}", "warning")


def _ranking(results: Results) -> Table:
    """Return all policies with the numbers behind their rank."""
    caption = f"Policies by what they lose, then by copies in sum over the {len(results.common)} workloads that all ran"
    head = ("policy", "copies", "needless", *map(spaced, LOSSES))
    return Table("ranking", caption, head, tuple(_ranked(results, policy) for policy in results.ranking))


def _ranked(results: Results, policy: str) -> Line:
    sums = [results.sums(metric)[policy] for metric in ("copies", "false_positive_copies")]
    return (policy, *map(count, sums), *(count(sum(results.where(policy, loss).values())) for loss in LOSSES))
