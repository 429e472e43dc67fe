"""How well a fitted workload stands in for a recording: the copies of both under each policy."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from cowbench import costs, grid, spec, summary, sweep
from cowbench.execute import Processes
from cowbench.recorded.fit import Estimate, Fit
from cowbench.report.model import Block, Bullets, Cell, Code, Line, Paragraph, Table, count
from cowbench.spec import PluginSpec
from cowbench.store import Store
from cowbench.sweep import Progress


@dataclass(frozen=True)
class Match:
    """Copies of the recording, and of the fitted workload as a mean over seeds; None where one did not finish."""

    policy: str
    recorded: Fraction | None
    fitted: Fraction | None

    @property
    def ratio(self) -> float | None:
        """Copies of the fitted workload over those of the recording; None if there is none to compare."""
        if self.recorded is None or self.fitted is None:
            return None
        if not self.recorded:
            return 1.0 if not self.fitted else None
        return float(self.fitted / self.recorded)


def matches(
    path: Path,
    fitted: PluginSpec,
    policies: Sequence[PluginSpec],
    seeds: int,
    jobs: int,
    report: Callable[[Progress], None],
) -> list[Match]:
    """Replay a recording, and run the workload fitted to it, under policies; `report` is told how far that is."""
    recorded = replace(spec.parse("workload", "trace"), values=(("file", str(path)),))
    prices = costs.read_profile()
    cells = grid.grid(policies, [recorded, fitted], seeds, prices)
    with tempfile.TemporaryDirectory(prefix="cowbench-") as folder, Store(Path(folder) / "fit.db") as store:
        sweep.sweep(cells, store, prices, workers=Processes(jobs), report=report)
        table = summary.table(store.rows(), "copies")
    return [
        Match(policy.text, *(table[policy.text, load.text].mean for load in (recorded, fitted))) for policy in policies
    ]


def told(found: Fit, compared: Sequence[Match], seeds: int) -> Iterator[Block]:
    """Say what was fitted, how sure that is, and how well it matches."""
    yield Paragraph(("Fitted: ", Code(found.workload.text)))
    columns = ("parameter", "value", "from", "to", "how")
    yield Table("estimates", "Parameters", columns, tuple(map(_estimate, found.estimates)))
    if found.remarks:
        yield Paragraph("What the workload cannot show of the recording:")
        yield Bullets(found.remarks)
    if compared:
        yield Paragraph(verdict(compared, seeds))
        caption = "Copies of the recording and of the fitted workload"
        head = ("policy", "recording", "fitted", "fitted / recording")
        yield Table("match", caption, head, tuple(map(_match, compared)))


def verdict(compared: Sequence[Match], seeds: int) -> str:
    """Say in a sentence how near the copies are."""
    ratios = [one.ratio for one in compared if one.ratio is not None]
    if not ratios:
        return "No policy copies anything in the recording, so copies say nothing about the fit."
    low, high = (f"{ratio - 1:+.1%}" for ratio in (min(ratios), max(ratios)))
    near = low if low == high else f"{low} to {high}"
    where = f"{len(ratios)} of {len(compared)} policies"
    return f"Copies of the fitted workload (mean of {seeds} seeds) are {near} off those of the recording under {where}."


def _estimate(one: Estimate) -> Line:
    ends = ("" if end is None else Cell(f"{end:,.4g}", end) for end in (one.low, one.high))
    shown = one.value if isinstance(one.value, bool | str) else f"{one.value:,.10g}"
    return (one.name, Cell(str(shown).lower(), None if isinstance(one.value, bool) else one.value), *ends, one.how)


def _match(one: Match) -> Line:
    ratio = Cell("-") if one.ratio is None else Cell(f"{one.ratio:.3f}", one.ratio)
    return (
        one.policy,
        *(Cell("-") if number is None else count(number) for number in (one.recorded, one.fitted)),
        ratio,
    )
