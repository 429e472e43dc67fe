"""Regime maps of grids: when a store has a plane, and who can be the best of it."""

from __future__ import annotations

from itertools import product

from cowbench import plugins
from cowbench.report import figures, grids, regimes
from cowbench.report.model import Block, Figure, Paragraph, Switch
from cowbench.report.results import Results
from cowbench.schema import Row
from tests.conftest import make_row

LOSER = ("loser", 1, 10)
"""A policy that copies nothing and loses a pin where x is 1 and y is 10."""


def row(policy: str, x: int, y: int, **values: object) -> Row:
    copies = {"few": 3 * x, "many": 4 + x, "loser": 0}[policy]
    lost = int((policy, x, y) == LOSER)
    place = {"workload": f"load:x={x},y={y}", "workload_name": "load", "workload.x": x, "workload.y": y}
    return make_row(policy=policy, policy_name=policy, copies=copies, lost_pins=lost, **place) | values  # type: ignore[arg-type]


def results(some: list[Row]) -> Results:
    return Results(some, [])


def plane(policies: tuple[str, ...] = ("few", "many", "loser")) -> list[Row]:
    return [row(policy, x, y) for policy, x, y in product(policies, (1, 2, 3), (10, 20))]


def blocks(some: list[Row]) -> list[Block]:
    return list(plugins.load("section", "regimes")().build(results(some)))


def test_a_plane_is_two_parameters_of_one_workload() -> None:
    (found,) = grids.planes(results(plane()))
    assert (found.workload, found.axes, len(found.sound)) == ("load", ("x", "y"), 17)
    line = [one for one in plane() if one["workload.y"] == 10]
    cross = [one for one in plane() if one["workload.x"] == 1 or one["workload.y"] == 10]
    third = [one | {"workload.z": one["workload.x"]} for one in plane()]
    few = plane(("few",))
    for some in (line, third, few, []):
        assert grids.planes(results(some)) == []
    assert len(grids.planes(results(cross))) == 1  # four of six points
    thin = [row(p, x, y) for p in ("few", "many") for x, y in [(1, 10), (2, 10), (3, 10), (4, 10), (1, 20), (1, 30)]]
    assert grids.planes(results(thin)) == []


def test_points_of_curves_are_part_of_a_plane() -> None:
    some = plane()
    split = Results(
        [one for one in some if one["workload.x"] > 1], [], points=[one for one in some if one["workload.x"] == 1]
    )
    assert len(grids.planes(split)[0].sound) == 17


def test_who_loses_a_pin_cannot_be_the_best_there() -> None:
    (found,) = grids.planes(results(plane()))
    best = {(x, y): regimes.winners(found.sound.only(x=x, y=y), "copies") for x, y in product((1, 2, 3), (10, 20))}
    assert best == {(1, 10): ("few",)} | {at: ("loser",) for at in best if at != (1, 10)}
    assert not found.nobody


def test_where_everybody_loses_the_plane_is_empty_and_says_so() -> None:
    some = [one | ({"lost_pins": 2} if one["workload.x"] == 1 else {}) for one in plane()]
    (found,) = grids.planes(results(some))
    assert list(found.nobody) == [(1, 10), (1, 20)]
    said = [block for block in blocks(some) if isinstance(block, Paragraph) and block.kind == "note"]
    assert "x 1, y 10; x 1, y 20" in str(said[0])
    failed = [one | {"status": "failed", "copies": None, "lost_pins": None} for one in plane()]
    assert len(blocks(failed)) == 3


def test_the_section_shows_a_map_for_each_metric_and_nothing_without_a_plane() -> None:
    without = [block for block in blocks(plane()) if isinstance(block, Switch)]
    assert [name for name, _ in without[0].choices] == ["copies", "false positive copies"]
    timed = [one | {"fork_ns_max": 5 + len(one["policy"])} for one in plane()]
    (switch,) = [block for block in blocks(timed) if isinstance(block, Switch)]
    assert [name for name, _ in switch.choices] == ["copies", "false positive copies", "fork ns max"]
    drawn = switch.choices[0][1][0]
    assert isinstance(drawn, Figure)
    hints = {mark.hint for mark in drawn.marks.values()}
    assert {"x 1, y 10: few", "x 2, y 20: loser"} < hints
    tie = switch.choices[1][1][0]
    assert isinstance(tie, Figure)
    assert "few = many = loser" in tie.svg
    assert blocks([]) == []


def test_a_legend_of_long_names_has_one_column() -> None:
    assert [figures.columns(["x" * length]) for length in (5, 40, 60, 200)] == [4, 2, 1, 1]
    assert figures.columns([]) == 4
