"""kernel_checks: the model held against real kernels: random programs, and the workloads of this store."""

from collections.abc import Iterator, Sequence

from cowbench.checks import Check
from cowbench.report.agreement import COUNTS, Agreement, Difference, agreements, uncounted
from cowbench.report.model import Block, Bullets, Cell, Code, Fold, Line, Paragraph, Strong, Table, Words, count
from cowbench.report.prose import plural, series, spaced
from cowbench.report.results import KERNEL, Results
from cowbench.report.section import Section

SHOWN = 40
"""Differences listed of each kernel."""


class KernelChecks(Section):
    title = "Model against kernel"
    order = 100

    def build(self, results: Results) -> Iterator[Block]:
        if not results.checks and not results.kernels:
            yield Paragraph(
                (
                    "Nothing in this store was held against a real kernel. ",
                    Code("cowbench kernel check --store FILE"),
                    " does that with random programs, ",
                    Code("cowbench run --kernel host"),
                    " with workloads.",
                )
            )
            return
        if results.checks:
            yield from _checks(results.checks)
        for kernel in results.kernels:
            yield from _workloads(results, kernel)


def _checks(checks: Sequence[Check]) -> Iterator[Block]:
    yield Paragraph(
        "Random programs ran on the kernel and on the model; after every operation it was compared which pages share a "
        "frame, which moved, and every value read."
    )
    yield Bullets(tuple(map(_outcome, checks)))
    head = ("kernel", "policy", "programs", "operations", "differences", "left out", "seed", "started", "cowbench")
    yield Table("checks", "Checks of the model against kernels", head, tuple(map(_line, checks)))
    for check in checks:
        if check.differences:
            yield Fold(
                f"{plural(len(check.differences), 'difference')} on {check.kernel}", (Bullets(check.differences),)
            )


def _outcome(check: Check) -> Words:
    size = f"{plural(check.programs, 'program')} of {plural(check.operations, 'operation')} in all"
    found = len(check.differences)
    verdict = f"{plural(found, 'difference')} from {check.policy}" if found else f"all as under {check.policy}"
    left_out = [f"{number:,} ({why})" for why, number in check.excluded.items()]
    rest = f"; left out: {series(left_out)}" if left_out else ""
    return (Strong(check.kernel), f": {size}, ", verdict, f"{rest}.")


def _line(check: Check) -> Line:
    found = len(check.differences)
    facts = check.provenance
    commit = str(facts.get("commit") or "")[:12] + (", with changes" if facts.get("dirty") else "")
    counts = (count(check.programs), count(check.operations), count(found, tone="bad" if found else "good"))
    left_out = count(sum(check.excluded.values()))
    version = " ".join(filter(None, (str(facts.get("cowbench") or ""), commit))) or "unknown"
    return (check.kernel, check.policy, *counts, left_out, count(check.seed), _minute(check.started), version)


def _minute(started: str) -> str:
    return started[:16].replace("T", " ")


def _workloads(results: Results, kernel: str) -> Iterator[Block]:
    found = agreements(results, kernel)
    name = kernel.removeprefix(KERNEL)
    if not found:
        yield Paragraph(f"No policy in this store ran the trials that {name} ran.")
    else:
        shown = _followed(results, name, found)
        yield Paragraph(_agreement(name, shown, found[0]))
        rows = tuple((one.policy, count(one.trials), count(one.equal), _percent(one)) for one in found)
        caption = f"Trials in which {name} and a policy count the same"
        yield Table(f"agreement-{_slug(name)}", caption, ("policy", "trials", "equal", "share"), rows)
        if shown.differences:
            yield _differences(name, shown)
    reasons = uncounted(results, kernel)
    if reasons:
        yield Paragraph(f"Trials that {name} could not count:")
        yield Bullets(tuple(f"{number:,}: {why}" for why, number in reasons.items()))


def _followed(results: Results, name: str, found: Sequence[Agreement]) -> Agreement:
    """Return how the kernel goes beside the policy that checks say it follows, else beside the one that is nearest."""
    follows = {check.policy for check in results.checks if check.kernel == name}
    return next((one for one in found if one.policy in follows), found[0])


def _agreement(name: str, shown: Agreement, nearest: Agreement) -> Words:
    equal = f"{shown.equal:,} of {plural(shown.trials, 'trial')} of workloads"
    what = series([spaced(metric) for metric in COUNTS])
    words = f" counts as {shown.policy} in {equal}: the same {what}, as far as they can be seen of a kernel."
    better = nearest.equal > shown.equal
    more = f" {nearest.policy} agrees more often: in {nearest.equal:,} of {nearest.trials:,}." if better else ""
    return (Strong(name), words, more)


def _percent(one: Agreement) -> Cell:
    return Cell(f"{one.equal / one.trials:.1%}", one.equal / one.trials)


def _differences(name: str, shown: Agreement) -> Table:
    listed = shown.differences[:SHOWN]
    caption = f"Where {name} and {shown.policy} differ"
    if len(listed) < len(shown.differences):
        caption += f": the first {len(listed)} of {len(shown.differences):,}"
    head = ("workload", "seed", "of", "kernel", "model")
    return Table(f"differences-{_slug(name)}", caption, head, tuple(map(_difference, listed)))


def _difference(one: Difference) -> Line:
    return (one.workload, count(one.seed), spaced(one.metric), count(one.seen), count(one.modelled))


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in name)
