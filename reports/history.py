"""history: exact counters over the commits of an asv history, and where they moved."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from cowbench.history.files import Results as Commit
from cowbench.history.steps import Curve, Step, curves, lines, steps
from cowbench.report import figures
from cowbench.report.model import Block, Cell, Figure, Line, Mark, Paragraph, Switch, Table, Tone, count
from cowbench.report.prose import plural, series, spaced
from cowbench.report.results import Results
from cowbench.report.section import Section

_DASHES = ("-", "--", ":")


class History(Section):
    title = "History"
    order = 105

    def build(self, results: Results) -> Iterator[Block]:
        for (machine, python), line in lines(results.history).items():
            yield from _line(f"{machine}, Python {python}", line)


def _line(where: str, line: Sequence[Commit]) -> Iterator[Block]:
    by_metric, moved = curves(line), list(steps(line))
    worse = sum(step.worse for step in moved)
    cells = plural(len(moved), "counter")
    yield Paragraph(
        f"{plural(len(line), 'commit')} on {where}, {line[0].commit[:8]} to {line[-1].commit[:8]}: {cells} moved, "
        f"{worse:,} for the worse and {len(moved) - worse:,} for the better. Counters are exact: every move is real.",
        "answer",
    )
    yield Paragraph(
        "Each line is a policy: its counter in sum over all workloads that a commit could run. It is broken where "
        "others are summed than before, for such sums say nothing about each other. Triangles mark commits that moved "
        "a counter: up is worse, down is better."
    )
    chosen = {name: some for name, some in by_metric.items() if name in {"copies", *(step.metric for step in moved)}}
    if still := [spaced(name) for name in by_metric if name not in chosen]:
        yield Paragraph(f"These did not move at all: {series(still)}.")
    drawn = ((spaced(name), (_drawn(name, some, line), _ends(name, some))) for name, some in chosen.items())
    yield Switch("Counter", tuple(drawn))
    if moved:
        yield _table(moved, line)


def _drawn(metric: str, some: Sequence[Curve], line: Sequence[Commit]) -> Figure:
    marks: dict[str, Mark] = {}
    with figures.figure(9, 3.4) as (drawn, axes):
        for number, curve in enumerate(some):
            colour = figures.COLOURS[number % len(figures.COLOURS)]
            dashes = _DASHES[number // len(figures.COLOURS) % len(_DASHES)]
            for part in curve.parts:
                (path,) = axes.plot(
                    [point.place for point in part],
                    [point.total for point in part],
                    color=colour,
                    linestyle=dashes,
                    marker="." if len(part) == 1 else "",
                )
                figures.mark(marks, path, f"{curve.policy}: {part[-1].total:,.10g} at the end", curve.policy)
            axes.plot([], [], color=colour, linestyle=dashes, label=curve.policy)
            for point in (point for part in curve.parts for point in part):
                if point.rose or point.fell:
                    (dot,) = axes.plot(point.place, point.total, "^" if point.rose else "v", color=colour, markersize=8)
                    figures.mark(marks, dot, _hint(curve, point.place, point.rose, point.fell, line), curve.policy)
        axes.set_yscale("symlog", linthresh=10)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.yaxis.set_minor_formatter(lambda *_: "")
        axes.set_xlim(-0.5, len(line) - 0.5)
        axes.xaxis.set_major_formatter(lambda place, _: line[int(place)].commit[:8] if 0 <= place < len(line) else "")
        axes.set_xlabel("commit")
        axes.set_ylabel(f"{spaced(metric)}, in sum")
        drawn.legend(loc="outside right upper", fontsize=9)
        alt = f"{spaced(metric)} of each policy over {len(line)} commits; ends and steps in the tables below"
        return figures.finish(
            drawn, f"history-{metric.replace('_', '-')}", f"{spaced(metric)} over commits", alt, marks
        )


def _hint(curve: Curve, place: int, rose: int, fell: int, line: Sequence[Commit]) -> str:
    return f"{line[place].commit[:8]}: {curve.policy} got worse on {rose} and better on {fell} workloads"


def _ends(metric: str, some: Sequence[Curve]) -> Table:
    rows = []
    for curve in some:
        first, last = curve.parts[0][0], curve.parts[-1][-1]
        numbers = (first.workloads, first.total, last.workloads, last.total)
        rows.append((Cell(curve.policy, group=curve.policy), *(count(round(number)) for number in numbers)))
    head = ("policy", "workloads, first commit", "sum", "workloads, last commit", "sum")
    return Table(f"history-{metric.replace('_', '-')}-ends", f"{spaced(metric)} at both ends", head, tuple(rows))


def _table(moved: Sequence[Step], line: Sequence[Commit]) -> Table:
    dates = {one.commit: datetime.fromtimestamp(one.date / 1000, UTC).date().isoformat() for one in line}
    head = ("commit", "date", "counter", "policy", "workload", "before", "after", "verdict")
    return Table("steps", "Counters that moved", head, tuple(_row(step, dates[step.commit]) for step in moved))


def _row(step: Step, date: str) -> Line:
    tone: Tone = "bad" if step.worse else "good"
    return (
        step.commit[:8],
        date,
        spaced(step.metric),
        Cell(step.policy, group=step.policy),
        step.workload,
        count(round(step.before)),
        count(round(step.after)),
        Cell("worse" if step.worse else "better", tone=tone),
    )
