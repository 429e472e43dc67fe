"""The result in one picture: what each policy copies, how much of it needlessly, and what it loses."""

from __future__ import annotations

from fractions import Fraction

from cowbench.report import figures
from cowbench.report.model import Figure, Mark
from cowbench.report.prose import plural
from cowbench.report.results import Results
from cowbench.summary import number


def picture(results: Results) -> Figure:
    """Return the picture; rows of policies in order of rank."""
    policies = results.ranking[::-1]
    copies, needless = results.sums("copies"), results.sums("false_positive_copies")
    marks: dict[str, Mark] = {}
    with figures.figure(10, 1.0 + (0.32 if len(policies) < 15 else 0.22) * len(policies)) as (drawn, axes):
        for row, policy in enumerate(policies):
            ends = [float(needless[policy]), float(copies[policy])]
            axes.plot(ends, [row, row], color=figures.COLOURS[1], linewidth=1.5, zorder=1)
            axes.text(1.02, row, _verdict(results, policy), va="center", transform=axes.get_yaxis_transform())
            for value, shape, colour, words in zip(ends, "Do", figures.COLOURS[1::-1], ("needless ", ""), strict=True):
                (dot,) = axes.plot(value, row, shape, color=colour, zorder=2)
                figures.mark(marks, dot, f"{policy}: {number(Fraction(value))} {words}copies", policy)
        axes.set_yticks(range(len(policies)), policies)
        axes.set_xscale("symlog", linthresh=10)
        axes.set_xlim(-2, 2 * max(10.0, *map(float, copies.values())))
        axes.xaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
        axes.set_xlabel("pages")
        where = plural(len(results.common), "workload")
        caption = f"Pages copied (dots), of them needlessly (diamonds), in sum over {where}; and what is lost"
        alt = "Copies, needless copies and losses of each policy; numbers in the table below"
        return figures.finish(drawn, "picture", caption, alt, marks)


def _verdict(results: Results, policy: str) -> str:
    words = results.losses(policy)
    if policy in results.oracles:
        return "sees what no kernel can"
    return ", ".join(words) if words else "leaks and loses nothing"
