"""Regime maps: the plane of two parameters, each point coloured by the policy that is best there, ties hatched."""

from __future__ import annotations

from itertools import product
from typing import Any

from cowbench.report import figures
from cowbench.report.model import Figure, Mark
from cowbench.report.prose import spaced
from cowbench.schema import BY_NAME
from cowbench.study.rows import Rows

Best = tuple[str, ...]
"""The policies that share the best value, in the order of the rows; none where none ran."""


def regimes(rows: Rows, axes: tuple[str, str], metric: str, title: str, name: str) -> Figure:
    """Draw which policies have the best mean of a metric at each value of two parameters."""
    across, up = (rows.axis(axis) for axis in axes)
    best = {at: winners(rows.only(**dict(zip(axes, at, strict=True))), metric) for at in product(across, up)}
    looks = _looks(best)
    marks: dict[str, Mark] = {}
    with figures.figure(9, 2.1 + 0.42 * len(up)) as (drawn, plane):
        for (x, y), names in best.items():
            if names:
                (patch,) = plane.bar(across.index(x), 1, 1, up.index(y) - 0.5, **looks[names])
                figures.mark(marks, patch, f"{axes[0]} {say(x)}, {axes[1]} {say(y)}: {' = '.join(names)}")
        plane.set_xticks(range(len(across)), [say(x) for x in across])
        plane.set_yticks(range(len(up)), [say(y) for y in up])
        plane.margins(0)
        plane.set_xlabel(axes[0])
        plane.set_ylabel(axes[1])
        _legend(drawn, looks)
        words = f"{title}: best {spaced(metric)}; hatched: a tie"
        return figures.finish(drawn, name, words, f"{words}; numbers in the table below", marks)


def winners(rows: Rows, metric: str) -> Best:
    """Return the policies whose mean of a metric is the best, by the metric's better direction; several if they tie."""
    means = {policy: rows.only(policy=policy).mean(metric) for policy in dict.fromkeys(rows.values("policy"))}
    if not means:
        return ()
    best = max(means.values()) if BY_NAME[metric].better == "higher" else min(means.values())
    return tuple(policy for policy, mean in means.items() if mean == best)


def say(value: Any) -> str:
    """Write the value of a parameter."""
    return value if isinstance(value, str) else f"{value:g}"


def _looks(best: dict[tuple[Any, Any], Best]) -> dict[Best, dict[str, Any]]:
    """Give each group of winners a colour, the frequent ones first, and ties a hatch."""
    groups = [names for names in best.values() if names]
    frequent = sorted(dict.fromkeys(groups), key=lambda names: -groups.count(names))
    return {
        names: {
            "facecolor": figures.COLOURS[index % len(figures.COLOURS)],
            "hatch": figures.HATCHES[len(names) > 1],
            "edgecolor": figures.INK,
            "linewidth": 0.4,
        }
        for index, names in enumerate(frequent)
    }


def _legend(drawn: Any, looks: dict[Best, dict[str, Any]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(label=_label(names), **look) for names, look in looks.items()]
    drawn.legend(handles=handles, loc="outside lower center", ncols=figures.columns([*map(_label, looks)]))


def _label(names: Best) -> str:
    return " = ".join(names) if len(names) < 4 else f"{' = '.join(names[:2])} and {len(names) - 2} more"
