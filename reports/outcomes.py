"""outcomes: what each policy leaks, loses or tears, where, and how it does on the kernel's own test cases."""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from cowbench import again, schema, spec
from cowbench.conformance import on_model
from cowbench.errors import PluginError
from cowbench.report import winners
from cowbench.report.model import (
    Block,
    Bullets,
    Cell,
    Heading,
    Line,
    Paragraph,
    Switch,
    Table,
    Terms,
    Tone,
    Words,
    count,
)
from cowbench.report.prose import series, spaced
from cowbench.report.results import LOSSES, Results
from cowbench.report.section import Section

BAD = (*LOSSES, "torn_snapshots")
COLUMNS = (*BAD, "missed_early_copies", "lost_pins_documented")


class Outcomes(Section):
    title = "Correctness: leaks, lost references, torn snapshots"
    order = 30

    def build(self, results: Results) -> Iterator[Block]:
        if not results.rows:
            yield Paragraph("No trials, no outcomes.")
            return
        head: Line = ("policy", "verdict", *map(spaced, COLUMNS))
        rows = tuple(_verdict(results, policy) for policy in results.everyone)
        yield Table("verdicts", "Outcomes by policy: sums over workloads and seeds", head, rows)
        yield Terms(tuple((spaced(name), f"{schema.METRICS[name].description}.") for name in COLUMNS))
        places = tuple(
            _where(results, name) for name in COLUMNS if any(results.where(p, name) for p in results.policies)
        )
        if places:
            yield Heading("On which workloads")
            yield Switch("Show", tuple((spaced(table.name).capitalize(), (table,)) for table in places))
        yield from _conformance(results)


def _verdict(results: Results, policy: str) -> Line:
    counts = [_sum(results, policy, name) for name in COLUMNS]
    seen = any(_seen(results, policy, name) for name in LOSSES)
    return (Cell(policy, group=policy), winners.verdict(results, policy) if seen else "not seen", *counts)


def _sum(results: Results, policy: str, name: str) -> Cell:
    if not _seen(results, policy, name):
        return Cell("not seen")
    total = sum(results.where(policy, name).values())
    return count(total, tone="bad" if total and name in BAD else "")


def _seen(results: Results, policy: str, name: str) -> bool:
    """Return whether an outcome was counted at all: not all of a real kernel can be seen."""
    return any(cell.values for (other, _), cell in results.table(name).items() if other == policy)


def _where(results: Results, outcome: str) -> Table:
    """Return an outcome by workload and policy, without the workloads where it befalls nobody."""
    found = {policy: results.where(policy, outcome) for policy in results.policies}
    workloads = [w for w in results.workloads if any(w in places for places in found.values())]
    head: Line = ("workload", *(Cell(policy, group=policy) for policy in results.policies))
    tone: Tone = "bad" if outcome in BAD else ""
    rows = tuple(_place(workload, found, tone) for workload in workloads)
    caption = f"{spaced(outcome).capitalize()} ({schema.METRICS[outcome].unit}), sums over seeds"
    return Table(outcome, caption, head, rows)


def _place(workload: str, found: Mapping[str, Mapping[str, int | Fraction]], tone: Tone) -> Line:
    counts = {policy: places.get(workload, 0) for policy, places in found.items()}
    return (workload, *(count(n, tone=tone if n else "", group=policy) for policy, n in counts.items()))


def _conformance(results: Results) -> Iterator[Block]:
    """Judge the policies of the store on the kernel's own cases; those that cannot be are named with the reason."""
    judged: dict[str, Verdicts] = {}
    absent: list[str] = []
    broken: list[Words] = []
    for policy in results.policies:
        try:
            judged[policy] = _judged(again.by_file(policy, results.files))
        except PluginError:
            absent.append(policy)
        except Exception as error:  # a rule of the user's may do anything
            broken.append(f"{policy} fails on them: {' '.join(str(error).split())}")
    yield Heading("The kernel's own cases")
    yield Paragraph(
        "The anonymous-page cases of the kernel's selftests (mm/cow.c), judged on the model when this report was "
        "written: on a page in memory, and on one that was swapped out first."
    )
    if judged:
        yield _cases(judged)
    if absent:
        yield Paragraph(f"Not judged, because their files are not at hand: {series(absent)}.", "note")
    if broken:
        yield Bullets(tuple(broken))


Verdicts = dict[tuple[int, str], dict[str, str]]
"""Number and name of a case -> kind of page -> verdict."""


def _judged(policy: str) -> Verdicts:
    found: Verdicts = {}
    for one in on_model(spec.parse("policy", policy).build()):
        found.setdefault((one.case.number, one.case.name), {})[one.page] = one.verdict
    return found


def _cases(judged: dict[str, Verdicts]) -> Table:
    head: Line = ("case", *(Cell(policy, group=policy) for policy in judged))
    cases = next(iter(judged.values()))
    rows = tuple(_case(case, judged) for case in cases)
    return Table("cases", "Verdicts on the kernel's own cases", head, rows)


def _case(case: tuple[int, str], judged: dict[str, Verdicts]) -> Line:
    number, name = case
    return (f"{number} {name}", *(_pages(verdicts[case], policy) for policy, verdicts in judged.items()))


def _pages(verdicts: dict[str, str], policy: str) -> Cell:
    """Return one word if both kinds of page fare alike, else one for each."""
    memory, swapped = verdicts["base"], verdicts["swapped"]
    if memory == swapped:
        text = memory
    elif memory == "pass":
        text = f"{swapped} if swapped out"
    else:
        text = f"{memory} in memory" if swapped == "pass" else f"{memory} in memory, {swapped} if swapped out"
    broken = {"leak", "lost pin"} & {memory, swapped}
    return Cell(text, tone="bad" if broken else "", group=policy)
