"""The section on fork latency: curves from the points of a store, kernels beside the model, sentences, tables."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from cowbench import costs, plugins
from cowbench.report.curves import curves, step
from cowbench.report.model import Block, Bullets, Figure, Paragraph, Table, cell, plain
from cowbench.report.results import Results
from cowbench.schema import Row
from cowbench.store import Store
from tests.conftest import make_result, make_row

RUN = {"run": 1, "started": "", "cells": 1, "command": "", "profile": costs.read_profile().to_json()}


def at(policy: str, pages: int, ns: int | None, seed: int = 0, longterm: bool = True, default: bool = False) -> Row:
    """Return a row of all_pinned at a size."""
    spec = "all_pinned" if default else f"all_pinned:pages={pages}"
    parameters = {"workload.pages": pages, "workload.longterm": longterm, "curve": "" if default else "pages"}
    times = {"fork_ns_max": ns, "fork_ns_mean": ns, "fork_ns_p50": ns}
    return make_row(policy, spec, seed, **times, forks=1, **parameters)


ROWS = [
    at("flat", 256, 70_000),
    at("flat", 1024, 70_000),
    at("flat", 16384, 70_000, default=True),
    at("rises", 256, 200_000),
    at("rises", 1024, 800_000),
    at("rises", 16384, 9_000_000, default=True),
    at("steps", 256, 70_000),
    at("steps", 1024, 200_000),
    at("steps", 16384, 200_000, default=True),
    at("also_steps", 256, 60_000, seed=0),
    at("also_steps", 256, 80_000, seed=1),
    at("also_steps", 1024, 200_000),
    at("also_steps", 16384, 200_000, default=True),
    at("flat", 999, 5_000, longterm=False, default=True) | {"workload": "all_pinned:longterm=false,pages=999"},
]
KERNEL = [at("kernel:6.18", 256, 123_456), at("kernel:6.18", 1024, None)]


def read(tmp_path: Path, rows: list[Row]) -> Results:
    with Store(tmp_path / "s.db") as store:
        run = store.begin_run("", RUN)
        results = [make_result(row) for row in rows]
        store.add(results, run)
        store.point((one.row["policy"], one.row["workload"], one.row["seed"], one.key) for one in results)
        return Results.of(store)


def built(results: Results) -> list[Block]:
    return list(plugins.load("section", "fork_latency")().build(results))


def bullets(blocks: list[Block]) -> list[str]:
    return [plain(item) for block in blocks if isinstance(block, Bullets) for item in block.items]


def test_a_curve_has_its_points_the_default_and_nothing_else(tmp_path: Path) -> None:
    (curve,) = curves(read(tmp_path, ROWS))
    assert (curve.workload, curve.parameter, curve.values) == ("all_pinned", "pages", (256, 1024, 16384))
    assert list(curve.times["also_steps"]) == [70_000, 200_000, 200_000]
    assert [names for names, _ in curve.groups()] == [["flat"], ["also_steps", "steps"], ["rises"]]


def test_points_stand_in_no_table_of_workloads(tmp_path: Path) -> None:
    results = read(tmp_path, ROWS)
    assert results.workloads == ["all_pinned", "all_pinned:longterm=false,pages=999"]
    assert {row["workload"] for row in results.points} == {"all_pinned:pages=256", "all_pinned:pages=1024"}


def test_what_is_said_of_a_curve(tmp_path: Path) -> None:
    assert bullets(built(read(tmp_path, ROWS))) == [
        "flat: 70 µs throughout.",
        "also_steps and steps: 70 µs up to 1 MiB, 200 µs from 4 MiB on.",
        "rises: from 200 µs at 1 MiB to 9 ms at 64 MiB.",
    ]


def test_a_kernel_has_points_where_it_was_measured(tmp_path: Path) -> None:
    results = read(tmp_path, ROWS + KERNEL)
    assert results.kernels == ["kernel:6.18"]
    assert "kernel:6.18" not in results.policies
    blocks = built(results)
    words = [plain(block.text) for block in blocks if isinstance(block, Paragraph)]
    assert "Measured on a real kernel, not modelled: kernel:6.18." in words
    assert "kernel:6.18: 123.5 µs throughout." not in bullets(blocks)
    assert "kernel:6.18: 123.5 µs at 1 MiB." in bullets(blocks)
    (table,) = [block for block in blocks if isinstance(block, Table) and block.name == "along-all_pinned"]
    line = next(row for row in table.rows if plain(cell(row[0]).text) == "kernel:6.18")
    assert [cell(content).value for content in line[1:]] == [123.456, None, None]
    (figure,) = [block for block in blocks if isinstance(block, Figure) and block.name == "curve-all_pinned"]
    assert "kernel:6.18" in {mark.hint for mark in figure.marks.values()}


def test_of_a_kernel_the_median_is_told_where_it_is_another_than_the_slowest(tmp_path: Path) -> None:
    kernel = [at("kernel:6.18", 256, 123_456) | {"fork_ns_p50": 80_000}, at("kernel:6.18", 1024, 400_000)]
    blocks = built(read(tmp_path, ROWS + kernel))
    assert "kernel:6.18, median fork: from 80 µs at 1 MiB to 400 µs at 4 MiB." in bullets(blocks)
    (table,) = [block for block in blocks if isinstance(block, Table) and block.name == "along-all_pinned"]
    assert plain(cell(table.rows[-1][0]).text) == "kernel:6.18, median fork"
    assert [cell(content).value for content in table.rows[-1][1:]] == [80, 400, None]


def test_a_store_of_kernels_alone_compares_them(tmp_path: Path) -> None:
    results = read(tmp_path, [make_row("kernel:5.10"), make_row("kernel:6.18")])
    assert results.policies == results.everyone == results.kernels == ["kernel:5.10", "kernel:6.18"]


def test_kernels_do_not_take_workloads_out_of_sums(tmp_path: Path) -> None:
    rows = [make_row("a", "w1"), make_row("a", "w2"), make_row("kernel:6.18", "w1", copies=3)]
    results = read(tmp_path, rows)
    assert results.common == ["w1", "w2"]
    assert results.table("copies")["kernel:6.18", "w1"].mean == 3
    assert results.everyone == ["a", "kernel:6.18"]


def test_a_step_is_one_rise_of_a_level_curve() -> None:
    assert step([Fraction(1), Fraction(1), Fraction(5), Fraction(5)]) == 2
    assert step([Fraction(1), Fraction(5)]) is None
    assert step([Fraction(1), Fraction(4), Fraction(5)]) is None
    assert step([Fraction(1), Fraction(1)]) is None
