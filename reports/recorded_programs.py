"""recorded_programs: what recorded programs would have cost on 5.4, 5.10, 5.18 and 6.12."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from typing import TYPE_CHECKING

from cowbench.report import figures
from cowbench.report.model import Block, Bullets, Code, Figure, Line, Mark, Paragraph, Strong, Table, Words, count
from cowbench.report.prose import plural, series
from cowbench.report.releases import RELEASES, TIMES, Cost, Program, programs, said_policy
from cowbench.report.results import VERBS, Results
from cowbench.report.section import Section
from cowbench.summary import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWN = 12
"""Programs that are drawn; the table has all."""
EQUAL = Fraction(1, 100)
"""Times that differ by less are told as one."""


class RecordedPrograms(Section):
    title = "Real programs on kernels of four eras"
    order = 45

    def build(self, results: Results) -> Iterator[Block]:
        found, gone = programs(results)
        told = [program for program in found if program.costs]
        if not found and not gone:
            yield Paragraph(NONE)
            return
        if told:
            yield Paragraph(f"What would each recorded program have cost on {series(list(RELEASES))}?")
            yield Bullets(tuple(map(_sentence, told)))
            yield _meant(told)
            for place, program in enumerate(told[:DRAWN]):
                yield _drawn(program, f"program-{place}")
            yield _table(told)
        for program in found:
            if missing := [release for release in RELEASES if release not in {cost.release for cost in program.costs}]:
                yield Paragraph(_how(program, missing), "note")
        if gone:
            yield Paragraph(f"The file of {series(gone)} is no longer there, so what it recorded is not known.", "note")


NONE = (
    "No recorded program was replayed here. ",
    Code("cowbench record --output FILE -- PROGRAM"),
    " makes a recording, ",
    Code("cowbench run --workload trace:file=FILE"),
    " replays it.",
)


def _sentence(program: Program) -> Words:
    copies = _grouped(
        [(f"{plural(cost.copies, 'copy', 'copies')} ({_memory(cost.copies)})", cost) for cost in program.costs]
    )
    needless = [cost for cost in program.costs if cost.needless]
    parts = [copies]
    if needless:
        words = _grouped([(f"{number(cost.needless)} of them needless", cost) for cost in needless])
        parts.append(words)
    parts.append(_times(program.costs))
    parts.append(_losses(program.costs))
    return (Strong(program.name), f"{program.full_name.removeprefix(program.name)}: {'; '.join(parts)}.")


def _grouped(said: Sequence[tuple[str, Cost]]) -> str:
    """Say each thing once, with the releases of which it is true."""
    releases: dict[str, list[str]] = {}
    for words, cost in said:
        releases.setdefault(words, []).append(cost.release)
    if len(releases) == 1 and len(said) > 1:
        return f"{said[0][0]} on each of {series([cost.release for _, cost in said])}"
    return series([f"{words} on {series(names)}" for words, names in releases.items()])


def _times(costs: Sequence[Cost]) -> str:
    least, most = min(costs, key=lambda cost: cost.time), max(costs, key=lambda cost: cost.time)
    if most.time - least.time <= EQUAL * most.time:
        return f"{_ms(most.time)} in the kernel for its memory"
    return (
        f"in the kernel for its memory {_ms(least.time)} on {least.release}, up to {_ms(most.time)} on {most.release}"
    )


def _losses(costs: Sequence[Cost]) -> str:
    wrong = [f"{cost.release} {VERBS[loss]} ({number(lost)})" for cost in costs for loss, lost in cost.losses.items()]
    return series(wrong) if wrong else "nothing leaks or is lost"


def _meant(told: Sequence[Program]) -> Paragraph:
    names = {cost.release: cost.policy for program in told for cost in program.costs}
    stands = series([f"{release}: {said_policy(release, policy)}" for release, policy in names.items()])
    return Paragraph(
        f"Each release is the policy that has its rules ({stands}). Times are counts times the costs of the profile: "
        "they differ between releases by what these do, not by how fast their code is.",
        "note",
    )


def _how(program: Program, missing: Sequence[str]) -> Words:
    policies = ",".join(RELEASES[release][0] for release in missing)
    run = Code(f"cowbench run -w {program.workload} -p {policies}")
    return (f"{program.name} was not replayed under the rules of {series(missing)}; ", run, " does that.")


def _drawn(program: Program, name: str) -> Figure:
    """Draw a bar for each release; releases that cost the same share one."""
    marks: dict[str, Mark] = {}
    bars = _alike(program.costs)[::-1]
    with figures.figure(9, 1.1 + 0.34 * len(bars)) as (drawn, axes):
        axes.remove()
        left, right = drawn.subplots(1, 2, sharey=True)
        for row, same in enumerate(bars):
            cost, releases = same[0], series([cost.release for cost in same])
            copies = {"needed": cost.copies - cost.needless, "needless": cost.needless}
            parts = {kind: Fraction(number) for kind, number in copies.items()}
            _bar(left, marks, (row, releases, cost.policy, "copies"), parts)
            _bar(right, marks, (row, releases, cost.policy, "ms"), {k: t / 1_000_000 for k, t in cost.times.items()})
        _finish(left, "pages copied")
        _finish(right, "modelled time in the kernel, ms")
        left.set_yticks(range(len(bars)), [", ".join(cost.release for cost in same) for same in bars])
        caption = f"{program.full_name} on {series([cost.release for cost in program.costs])}"
        alt = f"{caption}: pages copied and modelled time; numbers in the table below"
        return figures.finish(drawn, name, caption, alt, marks)


def _alike(costs: Sequence[Cost]) -> list[list[Cost]]:
    """Return releases in a row that cost the same together."""
    return [list(same) for _, same in groupby(costs, lambda cost: (cost.copies, cost.needless, cost.times))]


def _bar(axes: Axes, marks: dict[str, Mark], place: tuple[int, str, str, str], parts: Mapping[str, Fraction]) -> None:
    """Draw parts one after the other. place: row, releases, policy and unit."""
    row, releases, policy, unit = place
    start = Fraction()
    for colour, (kind, size) in zip(figures.COLOURS, parts.items(), strict=False):
        if size:
            (bar,) = axes.barh(row, float(size), left=float(start), height=0.7, color=colour, label=kind)
            figures.mark(marks, bar, f"{releases}: {number(size)} {unit}, {kind}", policy)
            start += size


def _finish(axes: Axes, label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.patch.set_alpha(0)
    axes.set_xlabel(label)
    axes.set_xlim(left=0, right=None if axes.patches else 1)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    if once:
        axes.legend(list(once.values()), list(once), loc="lower center", bbox_to_anchor=(0.5, 1), ncols=5)


def _table(told: Sequence[Program]) -> Table:
    counts = ("program", "release", "policy", "copies", "needless", "leaks", "lost pins", "lost gets")
    head = (*counts, *(f"{kind}, ms" for kind in TIMES))
    rows = tuple(_line(program, cost) for program in told for cost in program.costs)
    return Table("costs", "What each recorded program costs on each release", (*head, "memory, MiB"), rows)


def _line(program: Program, cost: Cost) -> Line:
    lost = (count(cost.losses.get(loss, 0), tone="bad" if loss in cost.losses else "") for loss in VERBS)
    times = (count(cost.times[kind] / 1_000_000) for kind in TIMES)
    memory = count(Fraction(cost.frames_peak, 256))
    return (
        program.workload,
        cost.release,
        cost.policy,
        count(cost.copies),
        count(cost.needless),
        *lost,
        *times,
        memory,
    )


def _ms(ns: Fraction) -> str:
    return f"{number(ns / 1_000_000)} ms"


def _memory(pages: int) -> str:
    return f"{number(Fraction(pages, 256))} MiB"
