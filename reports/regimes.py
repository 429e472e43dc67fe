"""regimes: which policy is best where, for each workload that was run over a grid of two of its parameters."""

from collections.abc import Iterator

from cowbench.report import grids
from cowbench.report.grids import Plane
from cowbench.report.model import Block, Code, Fold, Heading, Paragraph, Switch
from cowbench.report.plots import numbers
from cowbench.report.prose import spaced
from cowbench.report.regimes import regimes, say
from cowbench.report.results import Results
from cowbench.report.section import Section
from cowbench.study.definition import Figure


class Regimes(Section):
    title = "Which policy is best where"
    order = 55

    def build(self, results: Results) -> Iterator[Block]:
        planes = grids.planes(results)
        if planes:
            yield Paragraph(
                "A policy that leaks or loses a pin at a point of the plane cannot be the best there, whatever it "
                "saves; oracles are left out."
            )
        for plane in planes:
            yield from _plane(plane)


def _plane(plane: Plane) -> Iterator[Block]:
    x, y = plane.axes
    yield Heading(f"{plane.workload}: {x} and {y}")
    if plane.nobody:
        where = "; ".join(f"{x} {say(at)}, {y} {say(up)}" for at, up in plane.nobody[:3])
        more = f" and {len(plane.nobody) - 3} more points" if len(plane.nobody) > 3 else ""
        yield Paragraph(
            ("No policy is free of leaks and lost pins at ", Code(where), f"{more}; these stay empty."), "note"
        )
    if len(plane.sound):
        maps = ((spaced(metric), tuple(_map(plane, metric))) for metric in plane.metrics)
        yield Switch("Best by", tuple(maps))


def _map(plane: Plane, metric: str) -> Iterator[Block]:
    x, y = plane.axes
    name = f"{plane.workload}-{x}-{y}-{metric}".replace("_", "-")
    yield regimes(plane.sound, plane.axes, metric, plane.workload, f"{name}-figure")
    caption = f"{plane.workload}: {spaced(metric)}, mean a trial"
    yield Fold("Numbers", (numbers(Figure("", "regimes", x, metric, caption, by=y), plane.sound, name),))
