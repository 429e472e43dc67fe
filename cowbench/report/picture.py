"""The result in one picture: what each policy copies, how much of it needlessly, and what it loses."""

from __future__ import annotations

from markupsafe import Markup

from cowbench.report import figures
from cowbench.report.results import Results


def picture(results: Results) -> Markup:
    """Return the picture as an SVG element of the page."""
    policies = results.ranking[::-1]
    copies, needless = results.sums("copies"), results.sums("false_positive_copies")
    with figures.figure(10, 1.3 + 0.32 * len(policies)) as (drawn, axes):
        for row, policy in enumerate(policies):
            ends = [float(needless[policy]), float(copies[policy])]
            axes.plot(ends, [row, row], color=figures.COLOURS[1], linewidth=1.5, zorder=1)
            axes.text(1.02, row, _verdict(results, policy), va="center", transform=axes.get_yaxis_transform())
        rows = range(len(policies))
        axes.scatter([float(needless[policy]) for policy in policies], rows, marker="D", color=figures.COLOURS[1])
        axes.scatter([float(copies[policy]) for policy in policies], rows, color=figures.COLOURS[0])
        axes.set_yticks(rows, policies)
        axes.set_xscale("symlog", linthresh=10)
        axes.set_xlim(-2, 2 * max(10.0, *map(float, copies.values())))
        axes.xaxis.set_major_formatter(lambda count, _: f"{count:,.0f}")
        axes.set_xlabel(
            f"pages copied (dots) and needlessly so (diamonds), in sum over {len(results.common)} workloads"
        )
        return figures.svg(drawn, "Copies, needless copies and losses of each policy; numbers in the table below")


def _verdict(results: Results, policy: str) -> str:
    words = results.losses(policy)
    if policy in results.oracles:
        return "sees what no kernel can"
    return ", ".join(words) if words else "leaks and loses nothing"
