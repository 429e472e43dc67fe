"""The outcome of a search of the rules as parts of a report: the plane, who stands where, what rejected the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cowbench.report import figures
from cowbench.report.model import (
    Block,
    Cell,
    Code,
    Figure,
    Fold,
    Line,
    Listing,
    Mark,
    Paragraph,
    Table,
    count,
)
from cowbench.search.grammar import PARTS, SAYS
from cowbench.search.outcome import Example, Proposal, Standing, rule_named

MARKERS = {"none": ("x", 7), "A": ("o", 0), "B": ("s", 2), "C": ("*", 4)}
"""Marker and colour of each class."""
END = 2e8
"""Where the plane ends, in bits."""


def blocks(searched: Proposal, name: str) -> Iterator[Block]:
    """Yield the parts that tell of a search. name: unique in the section."""
    found = searched.found()
    yield draw(searched, found, f"{name}-plane")
    yield _standings(searched, found, f"{name}-standings")
    for short, one in found.items():
        yield Paragraph((f"{short} is ", Code(one.name), ": ", *_told(one)))
    yield _forced(searched, f"{name}-forced")
    yield from _examples(searched, name)


def draw(searched: Proposal, found: dict[str, Standing], name: str) -> Figure:
    """Draw state against needless copies: rules on the front with a line, built-in policies with their names."""
    title = "Needless copies over all workloads by the state that a rule needs, for 1 GiB of address space"
    marks: dict[str, Mark] = {}
    with figures.figure(9, 5) as (drawn, axes):
        axes.set_xscale("symlog", linthresh=1)
        axes.set_yscale("symlog", linthresh=1)
        axes.set_xlim(-0.6, END)
        axes.set_ylim(-0.6, 3e7)
        steps = sorted((one.bits, one.needless) for one in found.values())
        axes.step(*zip(*[*steps, (END, steps[-1][1])], strict=True), where="post", color=figures.COLOURS[2], lw=1)
        points = {**{one.name: one for one in searched.built_in}, **found}
        for label, one in points.items():
            marker, colour = MARKERS[one.letter]
            size = 12 if label in found else 7
            (dot,) = axes.plot(one.bits, one.needless, marker, color=figures.COLOURS[colour], markersize=size)
            words = f"{label}, class {one.letter}: {one.needless:,} needless, {one.bits:,} bits"
            figures.mark(marks, dot, words, label)
        _label(drawn, axes, points)
        _legend(axes)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xticks([0, 10, 1_000, 100_000, 10_000_000])
        axes.set_xlabel("bits of state for 1 GiB (262,144 pages) of one mm")
        axes.set_ylabel("needless copies")
        return figures.finish(drawn, name, title, f"{title}; numbers in the table below", marks)


def _legend(axes: Any) -> None:
    words = {
        "none": "leaks or loses pins",
        "A": "class A: no leak, no lost pin",
        "B": "class B: no lost get either",
        "C": "class C: nothing lost",
    }
    for letter, (marker, colour) in MARKERS.items():
        axes.plot([], [], marker, color=figures.COLOURS[colour], label=words[letter])
    axes.legend(loc="upper right", fontsize=8)


def _label(drawn: Any, axes: Any, points: dict[str, Standing]) -> None:
    """Write names beside points; those of one column stand apart from each other."""
    places = {
        name: axes.transAxes.inverted().transform(axes.transData.transform((one.bits, one.needless)))
        for name, one in points.items()
    }
    taken: list[tuple[float, float]] = []
    for name, (x, y) in sorted(places.items(), key=lambda place: (round(place[1][0], 2), place[1][1])):
        at = y - 0.04 if name.startswith("proposal_") else y + 0.015  # not on the line of the front
        for other_x, other_y in taken:
            if abs(other_x - x) < 0.12 and at < other_y + 0.042:
                at = other_y + 0.042
        taken.append((x, at))
        line = {"arrowstyle": "-", "lw": 0.4, "color": figures.INK, "shrinkB": 3}
        axes.annotate(
            *(name, (x, y)),
            xycoords="axes fraction",
            xytext=(x + 0.018, at),
            textcoords="axes fraction",
            fontsize=8,
            va="center",
            weight="bold" if name.startswith("proposal_") else "normal",
            arrowprops=line if at > y + 0.02 else None,
        )


def _standings(searched: Proposal, found: dict[str, Standing], name: str) -> Table:
    head = (
        "rule",
        "class",
        "state",
        "bits for 1 GiB",
        "needless copies",
        "copies",
        "most of the needless",
        "what goes wrong",
    )
    ordered = sorted(searched.built_in, key=lambda one: (-one.best, one.bits, one.needless))
    lines = [*found.items(), *((one.name, one) for one in ordered)]
    return Table(name, "The fronts and the built-in policies", head, tuple(_line(*line) for line in lines))


def _line(label: str, one: Standing) -> Line:
    most = max(one.by_workload, key=lambda pair: pair[1], default=None)
    return (
        Cell(label, label, group=label),
        one.letter,
        "; ".join(one.state) or "none",
        count(one.bits),
        count(one.needless),
        count(one.copies),
        f"{most[1]:,} in {most[0]}" if most else "",
        one.why,
    )


def _told(one: Standing) -> tuple[str, ...]:
    rule = rule_named(one.name)
    return ("; ".join(f"{SAYS[part]} {rule[part].words}" for part in PARTS), ".")


def _forced(searched: Proposal, name: str) -> Table:
    """Return which choices are left in each class; a part without a choice left is forced."""
    lines = [
        (f"{found.family}: {part}", *(_choices(found.left[letter][part]) for letter in "ABC"))
        for found in searched.families
        for part in PARTS
    ]
    caption = "What each class forces: the choices that rules left in it take, part by part"
    return Table(name, caption, ("part", "class A", "class B", "class C"), tuple(lines))


def _choices(names: Sequence[str]) -> str:
    return ", ".join(names) or "none is left"


def _examples(searched: Proposal, name: str) -> Iterator[Block]:
    examples = searched.examples
    head = ("number", "the rule", "operations", "first found for", "is the shortest for so many rules out of class A")
    lines = tuple(
        (count(number), one.words, count(len(one.told)), Code(one.rule), count(one.rejects))
        for number, one in enumerate(examples, start=1)
    )
    caption = "Counter-examples, the shortest first"
    yield Fold(caption, (Table(f"{name}-examples", caption, head, lines), *_programs(examples, name)))


def _programs(examples: Sequence[Example], name: str) -> Iterator[Block]:
    for number, one in enumerate(examples, start=1):
        yield Paragraph(f"{number}. With this the rule {one.words}:")
        yield Listing(f"{name}-{number}", one.told)
