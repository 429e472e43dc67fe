"""causes: why each policy copies pages that nobody else observed, by policy and by workload."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

from cowbench import schema
from cowbench.ledger import CAUSES
from cowbench.report.model import Block, Cell, Fold, Line, Paragraph, Table, Terms, count
from cowbench.report.prose import cause as cause_name
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.report.stacks import Bar, drawings
from cowbench.summary import MISSING
from cowbench.summary import Table as Values

COLUMN = "false_positive_cause_{}"


class Causes(Section):
    title = "Where needless copies come from"
    order = 40

    def build(self, results: Results) -> Iterator[Block]:
        everywhere, places = _everywhere(results), _places(results)
        if not places:
            yield Paragraph("No policy copies needlessly on any workload that ran here." if results.rows else NOTHING)
            return
        yield Paragraph("Copies of frames that nobody but the writer observed, by the first test that sent them there.")
        causes = [cause for cause in CAUSES if any(cause in bar.causes for bar in places)]
        meanings = ((cause_name(cause), schema.METRICS[COLUMN.format(cause)].description) for cause in causes)
        yield Terms(tuple((name, f"{words.removeprefix('... ')}.") for name, words in meanings))
        if everywhere:
            caption = "Causes by policy: shares and number, in sum over the workloads that all ran"
            yield from drawings("by-policy", caption, everywhere)
            caption = "Needless copies by policy and cause: sums over workloads of means over seeds"
            yield _table("policies", caption, everywhere, causes)
        one, several = _split(places)
        caption = "Causes by policy and workload: shares of the policy's needless copies, and number (mean over seeds)"
        yield from drawings("by-workload", caption, several)
        if one:
            words = "; ".join(f"{policy} ({cause})" for policy, cause in one.items())
            yield Paragraph(f"Not drawn by workload, because there is one cause only: {words}.", "note")
        caption = "Needless copies by policy, workload and cause: means over seeds"
        yield Fold("All numbers by workload", (_table("workloads", caption, places, causes),))


NOTHING = "No trials, no needless copies."


def _everywhere(results: Results) -> list[Bar]:
    sums = {cause: results.sums(COLUMN.format(cause)) for cause in CAUSES}
    found: dict[str, dict[str, Fraction]] = {
        policy: {cause: sums[cause][policy] for cause in CAUSES if sums[cause][policy]} for policy in results.policies
    }
    return [Bar(policy, "", causes, sum(causes.values(), Fraction())) for policy, causes in found.items() if causes]


def _places(results: Results) -> list[Bar]:
    bars: list[Bar] = []
    tables: dict[str, Values] = {cause: results.table(COLUMN.format(cause)) for cause in CAUSES}
    for policy in results.policies:
        found = {workload: _means(tables, policy, workload) for workload in results.workloads}
        whole = sum((sum(causes.values(), Fraction()) for causes in found.values()), Fraction())
        bars += [Bar(policy, workload, causes, whole) for workload, causes in found.items() if causes]
    return bars


def _means(tables: Mapping[str, Values], policy: str, workload: str) -> dict[str, Fraction]:
    cells = {cause: table.get((policy, workload), MISSING) for cause, table in tables.items()}
    return {cause: cell.mean for cause, cell in cells.items() if cell.mean}


def _split(bars: Sequence[Bar]) -> tuple[dict[str, str], list[Bar]]:
    """Return the only cause of the policies that have one, and the bars of the others."""
    causes: dict[str, set[str]] = {}
    for bar in bars:
        causes.setdefault(bar.policy, set()).update(bar.causes)
    one = {policy: cause_name(next(iter(found))) for policy, found in causes.items() if len(found) == 1}
    return one, [bar for bar in bars if bar.policy not in one]


def _table(name: str, caption: str, bars: Sequence[Bar], causes: Sequence[str]) -> Table:
    where = any(bar.workload for bar in bars)
    head: Line = ("policy", *(["workload"] if where else []), "needless", *map(cause_name, causes))
    return Table(name, caption, head, tuple(_line(bar, causes) for bar in bars))


def _line(bar: Bar, causes: Sequence[str]) -> Line:
    names: Line = (Cell(bar.policy, group=bar.policy), *([bar.workload] if bar.workload else []))
    return (*names, count(bar.total), *(count(bar.causes.get(cause, Fraction())) for cause in causes))
