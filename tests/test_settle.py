"""run --until-settled: only cells of open comparisons grow, up to the cap, and whoever tests them later knows how."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cowbench import settle
from cowbench.cli import cli
from cowbench.costs import read_profile
from cowbench.errors import ParameterError
from cowbench.grid import Cell, specs
from cowbench.report.results import Results
from cowbench.statistics.growth import looks_of, plan
from cowbench.store import Store
from cowbench.sweep import pointers
from tests.conftest import make_result, make_row

PROFILE = read_profile()
POLICIES = specs("policy", ["mapcount,page_count,has_pinned"])
WORKLOADS = specs("workload", ["short_pin,spawn_exec"])


class Filler:
    """Stands in for a sweep: rows of made-up copies for what a store lacks. asked: cells of each call."""

    def __init__(self, store: Store, effect: float = 0.0) -> None:
        self.store, self.effect = store, effect
        self.asked: list[int] = []

    def __call__(self, cells: Sequence[Cell], looks: Sequence[int]) -> None:
        self.asked.append(len(cells))
        run = self.store.begin_run("2026-01-01T00:00:00+00:00", {"looks": list(looks)})
        self.store.point(pointers(cells))
        results = [make_result(make_row(c.policy.text, c.workload.text, c.seed, copies=self.copies(c))) for c in cells]
        fresh = [result for result in results if result.key not in self.store.statuses()]
        self.store.add(
            [type(one)(c.key, one.row, 1, one.started, 0.1) for one, c in zip(fresh, cells, strict=True)], run
        )

    def copies(self, cell: Cell) -> int:
        """page_count is far off on short_pin and a little on spawn_exec; nothing else differs but by noise."""
        name = f"{cell.policy.text} {cell.workload.text} {cell.seed}"
        noise = np.random.default_rng(zlib.crc32(name.encode())).normal(0, 20)
        far = 500 if cell.workload.text == "short_pin" else self.effect
        return 1000 + round(noise) + round(far * (cell.policy.text == "page_count"))


def grow(store: Store, filler: Filler, seeds: tuple[int, int]) -> settle.Settled:
    return settle.until_settled(POLICIES, WORKLOADS, "mapcount", seeds, store, PROFILE, filler)


def sizes(store: Store) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in store.rows():
        pair = row["policy"], row["workload"]
        found[pair] = found.get(pair, 0) + 1
    return found


def test_plans_double_and_end_at_the_cap() -> None:
    assert plan(16, 64) == (16, 32, 64)
    assert plan(8, 50) == (8, 16, 32, 50)
    assert plan(8, 9) == (8, 9)
    with pytest.raises(ParameterError, match="--max-seeds 8: give more than --seeds 8"):
        plan(8, 8)


def test_only_the_cells_of_open_comparisons_grow(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        done = grow(store, Filler(store, effect=30), (10, 40))
        found = sizes(store)
    # Far off on short_pin: settled at once. has_pinned never is, so its cells and the baseline's go to the cap.
    assert found["page_count", "short_pin"] == 10
    assert 10 < found["page_count", "spawn_exec"] < 40
    for workload in ("short_pin", "spawn_exec"):
        assert found["has_pinned", workload] == found["mapcount", workload] == 40
    verdicts = {(one.policy, one.workload): one.verdict for one in done.family.of(metric="copies")}
    assert verdicts["page_count", "short_pin"] == verdicts["page_count", "spawn_exec"] == "worse"
    assert verdicts["has_pinned", "spawn_exec"] == "no difference shown"
    assert done.open == 2
    assert "2 are still open" in done.words


def test_a_second_run_asks_for_the_same_cells(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        first = grow(store, Filler(store, 18), (12, 48))
        again = grow(store, Filler(store, 18), (12, 48))
    assert [cell.key for cell in again.cells] == [cell.key for cell in first.cells]
    assert again.family == first.family


def test_other_seeds_in_the_store_do_not_change_what_a_plan_says(tmp_path: Path) -> None:
    with Store(tmp_path / "a.db") as store:
        plain = grow(store, Filler(store, 18), (12, 48))
    with Store(tmp_path / "b.db") as store:
        grow(store, Filler(store, 18), (13, 14))
        assert grow(store, Filler(store, 18), (12, 48)).family == plain.family


def test_the_report_judges_a_grown_store_by_its_looks(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        grow(store, Filler(store, 18), (12, 48))
        results = Results.of(store, baseline="mapcount")
        assert looks_of(store.runs()) == results.method.looks == (12, 24, 48)
    assert results.family is not None
    assert results.family.method.looks == (12, 24, 48)
    (one,) = results.family.of(policy="page_count", workload="short_pin", metric="copies")
    # 2^-11 with Holm over 2 comparisons of two workloads in copies and needless copies, at half of alpha.
    assert one.p_adjusted == pytest.approx(2.0**-11 * results.family.size * 2)


SMALL_RUN = ["-p", "mapcount,page_count", "-w", "short_pin:pages=64,forks=2", "--seeds", "4", "--jobs", "1", "-q"]


def test_the_command_fills_a_store_with_its_looks(tmp_path: Path) -> None:
    file = str(tmp_path / "s.db")
    words = ["run", *SMALL_RUN, "--store", file, "--until-settled", "--max-seeds", "6", "--baseline", "mapcount"]
    for _ in range(2):
        done = CliRunner().invoke(cli, words)
        assert (done.exit_code, done.stderr) == (0, "")
        with Store(Path(file), read_only=True) as store:
            assert len(store.rows()) in (8, 12)
            assert looks_of(store.runs()) == (4, 6)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--until-settled", "--baseline", "mapcuont"], "--baseline mapcuont: not among the policies of this run"),
        (["--until-settled", "--max-seeds", "4"], "--max-seeds 4: give more than --seeds 4"),
        (["--baseline", "mapcount"], "--baseline belongs to --until-settled"),
        (["--max-seeds", "9"], "--max-seeds belongs to --until-settled"),
        (["--until-settled", "--record", "x.jsonl"], "--record has nothing to settle"),
        (["--until-settled", "--kernel", "host"], "says nothing to a real kernel"),
    ],
)
def test_what_does_not_go_together_is_one_line(tmp_path: Path, words: list[str], complaint: str) -> None:
    done = CliRunner().invoke(cli, ["run", *SMALL_RUN, "--store", str(tmp_path / "s.db"), *words])
    assert done.exit_code == 2
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
