"""time_line: one trial operation by operation, so that a surprising number leads to the pages behind it."""

import shlex
from collections.abc import Iterator, Sequence

from cowbench.again import by_file
from cowbench.errors import CowbenchError
from cowbench.ledger import EventKind
from cowbench.report import figures, model
from cowbench.report.following import CODES, Code, changed, chosen, follow, picture
from cowbench.report.model import Block, Bullets, Figure, Line, Mark, Paragraph, Table, Words, count
from cowbench.report.prose import plural, series, spaced
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.schema import CAUSE_WORDS, Row
from cowbench.timeline import WRONG, Step, Timeline, say_event, short

RUNS = 6
"""Runs of pages named in a sentence."""
EXAMPLES = 5
"""Operations told of in full."""
DOTS = (600, 1600)
"""Rows and columns of the drawing, enough for print."""
HINTS = 400
"""Most operations that say what they did when pointed at."""
LOOKS: dict[Code, tuple[str, str]] = {
    "needed": ("#56B4E9", "copy"),
    "needless": ("#E69F00", "needless copy"),
    "needed_lost": ("#0072B2", "copy that loses a reference"),
    "needless_lost": ("#D55E00", "needless copy that loses a reference"),
    "leak": ("#CC79A7", "leak"),
}
"""Colour and name of each code of a picture; what loses a reference is the darker one of two."""


class TimeLine(Section):
    title = "One trial, operation by operation"
    order = 60

    def build(self, results: Results) -> Iterator[Block]:
        row = chosen(results)
        if row is None:
            yield Paragraph("No trial copied a page, so there is none to follow.")
            return
        try:
            line = follow(results, row)
        except CowbenchError as error:
            yield Paragraph(f"{_name(row)} cannot be followed: {error}", "note")
            return
        yield Paragraph((*_why(results, row), *_extent(line)))
        if differing := changed(results, row, line):
            words = f"Run again for this page, it differs from its row in {series(differing, 4)}: the row is of another"
            yield Paragraph(f"{words} version of cowbench or of a plug-in.", "warning")
        if line.row["status"] != "ok":
            yield Paragraph(f"It ended early, {spaced(line.row['status'])}: {line.row['error']}", "warning")
        if line.steps and any(not step.quiet for step in line.steps):
            yield _drawn(line)
            yield _by_kind(line)
            yield Paragraph("The first operations of each kind that made a difference:")
            yield Bullets(tuple(_told(step) for step in _examples(line.steps)))
        another = model.Code("cowbench report --trace POLICY,WORKLOAD,SEED")
        yield Paragraph(("All of it: ", model.Code(_command(results, row)), ". Another trial here: ", another, "."))


def _command(results: Results, row: Row) -> str:
    policy, workload = (by_file(row[name], results.files) for name in ("policy", "workload"))
    seed = str(row["seed"])
    return shlex.join(["cowbench", "trace", "view", "--policy", policy, "--workload", workload, "--seed", seed])


def _name(row: Row) -> str:
    return f"{row['policy']} on {row['workload']}, seed {row['seed']}"


def _why(results: Results, row: Row) -> Iterator[str]:
    yield _name(row)
    if results.trace is None and row["false_positive_copies"] > row["false_positive_cause_policy"]:
        yield ": of all trials the one with most copies that nobody needed and that are not what its rule asks for"
    elif results.trace is None:
        yield ": of all trials the one with most needless copies, or with most copies if none is needless"
    yield ". "


def _extent(line: Timeline) -> Iterator[str]:
    copies, needless = line.count("copies"), line.count("false_positive_copies")
    yield f"Its {plural(len(line.steps), 'operation')} make {plural(copies, 'copy', 'copies')}"
    causes = [(number, CAUSE_WORDS[cause]) for cause, number in line.causes().items()]
    if len(causes) == 1:
        yield f", {'all' if needless == copies else f'{needless:,}'} of them needless, because {causes[0][1]}"
    elif causes:
        yield f", {needless:,} of them needless: {series([f'{number:,} because {why}' for number, why in causes])}"
    wrong = [f"{line.count(kind):,} {spaced(kind)}" for kind in WRONG if line.count(kind)]
    yield f"; there are {series(wrong)}." if wrong else "; nothing leaks and nothing is lost."


def _drawn(line: Timeline) -> Figure:
    seen = picture(line.steps)
    marks: dict[str, Mark] = {}
    with figures.figure(9, 3.6) as (drawn, axes):
        from matplotlib.colors import BoundaryNorm, ListedColormap
        from matplotlib.patches import Patch
        from matplotlib.ticker import MaxNLocator

        rows, columns = seen.codes.shape
        colours = ListedColormap(["none", *(LOOKS[code][0] for code in CODES)])
        extent = (0.5, columns * seen.operations + 0.5, -0.5, rows * seen.pages - 0.5)
        norm = BoundaryNorm(range(len(CODES) + 2), len(CODES) + 1)
        axes.imshow(
            seen.enlarged(*DOTS),
            cmap=colours,
            norm=norm,
            origin="lower",
            extent=extent,
            aspect="auto",
            interpolation="none",
        )
        loud = [step for step in line.steps if not step.quiet]
        for place, step in enumerate(line.steps, start=1):
            if not step.quiet and len(loud) <= HINTS:
                span = axes.axvspan(place - 0.5, place + 0.5, color="#000000", alpha=0, linewidth=0)
                figures.mark(marks, span, _hint(step))
        axes.set_xlim(extent[:2])
        axes.set_xlabel("operation, in order")
        axes.set_ylabel("page")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        handles = [Patch(color=LOOKS[code][0], label=LOOKS[code][1]) for code in seen.found]
        drawn.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)))
        caption = "What happened to which page at which operation"
        if seen.operations * seen.pages > 1:
            caption += f" (a dot stands for {plural(seen.operations, 'operation')} and {plural(seen.pages, 'page')})"
        alt = "Copies, losses and leaks by operation and page; sums in the table below"
        return figures.finish(drawn, "pages", caption, alt, marks)


def _hint(step: Step) -> str:
    happened = "; ".join(say_event(event, RUNS) for event in step.events if event.kind != "reuses")
    return f"{step.number}: {short(step.words, RUNS)}. {happened}"


def _by_kind(line: Timeline) -> Table:
    steps: dict[str, list[Step]] = {}
    for step in line.steps:
        steps.setdefault(step.operation.op, []).append(step)
    kinds: tuple[EventKind, ...] = ("copies", "false_positive_copies", *WRONG, "missed_early_copies")
    kinds = tuple(kind for kind in kinds if kind == "copies" or line.count(kind))
    rows: list[Line] = []
    for op, same in steps.items():
        sums = [sum(step.count(kind) for step in same) for kind in kinds]
        first = next((str(step.number) for step in same if not step.quiet), "")
        rows.append((spaced(op), count(len(same)), *map(count, sums), first))
    titles = ("needless" if kind == "false_positive_copies" else spaced(kind) for kind in kinds)
    head = ("operation", "times", *titles, "first at")
    return Table("operations", "What the operations of this trial add up to", head, tuple(rows))


def _examples(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the first operation that shows each thing that can happen, a few of them."""
    seen: set[tuple[str, str, str]] = set()
    told = 0
    for step in steps:
        new = {(event.kind, event.site, event.cause) for event in step.events if event.kind != "reuses"} - seen
        if new and told < EXAMPLES:
            told += 1
            seen |= new
            yield step


def _told(step: Step) -> Words:
    happened = "; ".join(say_event(event, RUNS) for event in step.events)
    time = f"; fork takes {step.fork_ns / 1000:,.1f} µs (modelled)" if step.fork_ns is not None else ""
    return f"Operation {step.number}, {short(step.words, RUNS)}{step.handle}: {happened}{time}."
