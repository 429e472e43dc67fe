"""Fitting: a recording of a workload gives its parameters back, and what it cannot show is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from cowbench import spec
from cowbench.cli import cli
from cowbench.errors import ParameterError, ProgramError
from cowbench.machine import MachineConfig, Process
from cowbench.operations import Discard, Dontfork, Exec, Exit, Fork, Operation, Pin, Recorder, Spawn, Write
from cowbench.program_file import write_program
from cowbench.recorded import first_writes as sampling
from cowbench.recorded.first_writes import NEVER, NOT_SHARED, first_writes
from cowbench.recorded.fit import Fit, fit
from cowbench.recorded.matching import Match, matches, verdict
from cowbench.recorded.popularity import Interval, Popularity, Share, popularity, ranks
from cowbench.recorded.watch import summarize
from cowbench.recording import End, Note, RecordingWriter, Time
from tests.made_recording import FACTS, Store, make, record_store
from tests.workload_probe import Probe

P0, P1 = Process(0), Process(1)


def fitted(path: Path, text: str, seed: int = 0) -> Fit:
    record_store(path, spec.parse("workload", text).build(), seed)
    return fit(path, "snapshot_store")


def write(path: Path, lines: Sequence[Operation | Note]) -> Path:
    writer = RecordingWriter(path, MachineConfig(), FACTS)
    for line in lines:
        if isinstance(line, Note):
            writer.note(line)
        else:
            writer.operation(line)
    writer.close()
    return path


@pytest.mark.parametrize(
    "text",
    [
        "snapshot_store:pages=2048,disk=100,every=30",
        "snapshot_store:pages=3000,disk=150,every=40,skew=0.8,commands=200,saves=4",
        "snapshot_store:pages=2048,disk=60,every=50,skew=0.5,frees=true,saves=3",
    ],
)
def test_a_recorded_snapshot_store_gives_its_parameters_back(tmp_path: Path, text: str) -> None:
    truth = spec.parse("workload", text).build().values()
    found = {one.name: one for one in fitted(tmp_path / "recording", text).estimates}
    for name in ("pages", "saves", "frees"):
        assert found[name].value == truth[name]
    for name in ("every", "disk"):
        assert found[name].value == pytest.approx(truth[name], rel=0.001)
    for name in ("commands", "skew"):
        one = found[name]
        assert one.low is not None
        assert one.high is not None
        assert one.low - 1e-9 <= truth[name] <= one.high
        assert one.high - one.low < {"commands": 0.35 * truth["commands"], "skew": 0.35}[name]


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Pages whose first writes are drawn from the model itself: both 95 % intervals hold in about 18 of 20."""
    truth, pages, inside = (300.0, 0.6), 1500, 0
    rng = np.random.default_rng(11)
    chances = np.arange(1.0, pages + 1) ** -truth[1]
    chances /= chances.sum()
    edges = np.arange(1.0, 6) * 500
    for _ in range(20):
        times = rng.exponential(1000 / (truth[0] * chances), size=(2, pages)).T
        seen = np.where(times < edges[-1], np.searchsorted(edges, times), NEVER).astype(np.uint8)
        share = Share(int((seen < NEVER).sum()), 2 * pages, 2.5)
        lines, repeats = np.unique(seen, axis=0, return_counts=True)
        found = popularity(sampling.FirstWrites([edges, edges], lines, repeats), pages, share)
        inside += found.rate.low <= truth[0] <= found.rate.high and found.skew.low <= truth[1] <= found.skew.high
    assert inside >= 16


def test_ranks_are_the_popularity_that_the_workload_draws_from() -> None:
    for skew in (0.0, 0.7):
        weights, chances = ranks(5000, skew)
        assert weights.sum() == pytest.approx(1)
        assert (weights * 5000 * chances).sum() == pytest.approx(1)
        assert chances[0] == pytest.approx(1 / (np.arange(1.0, 5001) ** -skew).sum())
    even = Popularity(Interval(100, 90, 110), Interval(0, 0, 0))
    assert even.written(1000, 5) == pytest.approx(1 - np.exp(-0.5))


def test_first_writes_know_slices_and_what_was_not_shared(tmp_path: Path) -> None:
    path = write(
        tmp_path / "recording",
        [
            Spawn(),
            Write(P0, range(6)),
            Time(10),
            Fork(P0),
            Time(20),
            Write(P0, np.array([0])),
            Time(30),
            Write(P0, np.array([0, 1, 6])),
            Exit(P1),
            Fork(P0),
            Time(50),
            Write(P0, np.array([2, 6])),
            Time(60),
            End(60, "all processes ended"),
        ],
    )
    found = first_writes(path, summarize(path), 0)
    assert [ends.tolist() for ends in found.edges] == [[15, 25], [25, 35]]
    seen = np.repeat(found.seen, found.repeats, axis=0)
    assert sorted(seen.tolist()) == sorted(
        [[0, NEVER], [1, NEVER], [NEVER, 0], [NEVER, NEVER], [NEVER, NEVER], [NEVER, NEVER], [NOT_SHARED, 0]]
    )


def test_a_sample_of_many_pages_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "recording", Store(pages=4096, seconds=6, every=3, life=1, written=20))
    whole = fit(tmp_path / "recording", "snapshot_store")
    monkeypatch.setattr(sampling, "CELLS", 2000)
    sample = fit(tmp_path / "recording", "snapshot_store")
    of = {one.name: one for one in whole.estimates}
    for one in sample.estimates:
        if one.name == "commands":
            assert one.low is not None
            assert one.high is not None
            assert one.low < float(of["commands"].value) < one.high
            assert one.value != of["commands"].value


def test_the_fitted_workload_copies_as_the_recording_does(tmp_path: Path) -> None:
    found = fitted(tmp_path / "recording", "snapshot_store:pages=2048,disk=100,every=30,skew=0.6,saves=4")
    policies = [spec.parse("policy", name) for name in ("anon_exclusive", "eager_copy", "always_reuse")]
    compared = matches(tmp_path / "recording", found.workload, policies, 4, 1, lambda progress: None)
    assert [one.policy for one in compared] == ["anon_exclusive", "eager_copy", "always_reuse"]
    for one in compared:
        assert one.ratio == pytest.approx(1, abs=0.03)
    assert compared[0].recorded != compared[0].fitted
    assert compared[1].recorded == compared[1].fitted == 4 * 2048


def test_copies_match_also_where_writes_came_at_several_rates(tmp_path: Path) -> None:
    rng, chances = np.random.default_rng(8), np.arange(1.0, 2001) ** -0.9
    chances /= chances.sum()
    lines: list[Operation | Note] = [Spawn(), Write(P0, range(2000))]
    for life, rate in enumerate((20, 100, 400)):
        lines.append(Fork(P0))
        for interval in range(100):
            lines += [Time(1000 * life + 10 * interval + 10), Write(P0, np.unique(rng.choice(2000, rate, p=chances)))]
        lines.append(Exit(Process(life + 1)))
    path = write(tmp_path / "recording", [*lines, End(3000, "all processes ended")])
    (one,) = matches(
        path, fit(path, "snapshot_store").workload, [spec.parse("policy", "mapcount")], 4, 1, lambda _: None
    )
    assert one.ratio == pytest.approx(1, abs=0.02)


def test_verdicts_name_the_ends() -> None:
    some = [Match("a", 100, 98), Match("b", 100, 103), Match("c", None, 3), Match("d", 0, 5)]  # type: ignore[arg-type]
    said = "are -2.0% to +3.0% off those of the recording under 2 of 4 policies"
    assert said in verdict(some, 4)
    assert "are +0.0% off those of the recording under 1 of 1" in verdict([Match("a", 0, 0)], 1)  # type: ignore[arg-type]
    assert "say nothing" in verdict([Match("d", 0, 5)], 1)  # type: ignore[arg-type]


def pinned(path: Path, *, pages: int = 1000, longterm: bool = True, dontfork: bool = False) -> Path:
    lines: list[Operation | Note] = [Spawn(), Write(P0, range(pages)), Pin(P0, range(pages // 4), longterm=longterm)]
    lines += [Dontfork(P0, range(pages // 4))] if dontfork else []
    for child in (1, 2):
        lines += [Fork(P0), Time(10 * child), Write(P0, range(2 * child * pages // 10)), Exec(Process(child))]
    return write(path, [*lines, End(30, "all processes ended")])


def test_pinned_shares_are_given_back(tmp_path: Path) -> None:
    found = fit(pinned(tmp_path / "recording"), "rdma_hidden_fork")
    assert found.workload.text == "rdma_hidden_fork:forks=2,pages=1000,pinned=0.25,raced=0.3"
    (raced,) = (one for one in found.estimates if one.name == "raced")
    assert (raced.low, raced.high) == (0.2, 0.4)
    assert dict(fit(pinned(tmp_path / "other", dontfork=True), "rdma_hidden_fork").workload.values)["dontfork"] is True


def test_a_recorded_database_gives_its_parameters_back(tmp_path: Path) -> None:
    text = "database_prefork:backends=9,connections=60,fewest=40,inherited=0.6,most=200,pages=300"
    operations: list[Operation] = []
    machine: Any = Recorder(Probe(), operations.append)
    load = spec.parse("workload", text).build()
    load.run(machine, np.random.default_rng(4))
    lines = [replace(one, pages=np.unique(one.pages)) if isinstance(one, Write) else one for one in operations]
    path = write(tmp_path / "recording", [*lines, Time(1000), End(1000, "all processes ended")])
    found = fit(path, "database_prefork")
    values = {one.name: one.value for one in found.estimates}
    assert (values["pages"], values["connections"]) == (300, 60)
    assert values["backends"] == 9  # of one moment, who goes is counted before who comes
    assert values["fewest"] == pytest.approx(40, abs=15)
    assert values["most"] == pytest.approx(200, abs=25)
    assert values["inherited"] == pytest.approx(0.6, abs=0.02)
    policies = [spec.parse("policy", "anon_exclusive")]
    (one,) = matches(path, found.workload, policies, 4, 1, lambda progress: None)
    assert one.ratio == pytest.approx(1, abs=0.08)
    assert found.remarks == ()


def test_what_a_workload_cannot_show_is_said(tmp_path: Path) -> None:
    path = write(
        tmp_path / "recording",
        [
            Spawn(),
            Write(P0, range(2000)),
            Pin(P0, range(7)),
            Time(10),
            Fork(P0),
            Time(20),
            Write(P0, range(100)),
            Write(P1, range(500)),
            Fork(P1),
            Exit(Process(2)),
            Exit(P1),
            Time(1000),
            Fork(P0),
            Time(1010),
            Write(P0, range(1000)),
            Discard(Process(3), range(1000)),
            Exit(Process(3)),
            End(2000, "all processes ended"),
        ],
    )
    said = " ".join(fit(path, "snapshot_store").remarks)
    assert "Children wrote 12.5% of the shared pages" in said
    assert "The parent wrote 5.0% to 50.0% in a child's life" in said
    assert "1 more fork by other processes" in said
    assert "came while a child lived" not in said
    assert "7 pages were pinned at once" in said


def test_children_that_overlap_are_remarked_on(tmp_path: Path) -> None:
    both: list[Operation | Note] = [Spawn(), Write(P0, range(2000)), Time(10), Fork(P0), Fork(P0), Time(30)]
    path = write(tmp_path / "recording", [*both, Write(P0, range(50)), End(40, "all processes ended")])
    assert "1 fork came while a child lived; the workload has one at a time." in fit(path, "snapshot_store").remarks
    assert (
        "The parent wrote 2.5% of the shared pages; the workload's never does." in fit(path, "database_prefork").remarks
    )


def test_a_cut_recording_is_fitted_up_to_there(tmp_path: Path) -> None:
    path = write(tmp_path / "recording", [Spawn(), Write(P0, range(2000)), Fork(P0), Time(8000)])
    (said, *_) = fit(path, "snapshot_store").remarks
    assert said == "The recording was cut short after 8 s; this is what it shows up to there."


def test_a_parent_that_writes_nothing_has_the_least_rate(tmp_path: Path) -> None:
    path = write(
        tmp_path / "recording",
        [Spawn(), Write(P0, range(2000)), Fork(P0), Time(8000), Exit(P1), End(9000, "all processes ended")],
    )
    assert fit(path, "snapshot_store").workload.text == "snapshot_store:commands=1.0,every=9.0,pages=2000,saves=1"


def test_bad_files_and_workloads_are_named(tmp_path: Path) -> None:
    path = pinned(tmp_path / "recording", pages=400)
    with pytest.raises(ParameterError, match="'snapshot' cannot be fitted: did you mean 'snapshot_store'"):
        fit(path, "snapshot")
    with pytest.raises(ProgramError, match=r"recording: not like any snapshot_store: .*pages=400 is outside its range"):
        fit(path, "snapshot_store")
    with pytest.raises(ProgramError, match="nothing is pinned for long"):
        fit(pinned(tmp_path / "short", longterm=False), "rdma_hidden_fork")
    alone = write(tmp_path / "alone", [Spawn(), Write(P0, range(9)), End(10, "all processes ended")])
    with pytest.raises(ProgramError, match="alone: nothing in it forks"):
        fit(alone, "snapshot_store")
    write_program(tmp_path / "program", MachineConfig(), [Spawn()])
    with pytest.raises(ProgramError, match="program: a program file, but no recording"):
        fit(tmp_path / "program", "snapshot_store")


def test_the_command_prints_a_spec_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "a,b=c:d"  # no letters of a path may be taken for a spec
    pinned(path)
    words = ["fit", str(path), "-w", "rdma_hidden_fork", "-p", "anon_exclusive,page_count", "--seeds", "2", "-j", "1"]
    result = CliRunner().invoke(cli, [*words, "-q"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "Fitted: rdma_hidden_fork:forks=2,pages=1000,pinned=0.25,raced=0.3"
    assert "pinned\t0.25\t\t\tmost pages pinned for long at once" in lines
    assert any(line.startswith("anon_exclusive\t") for line in lines)
    assert spec.parse("workload", lines[0].removeprefix("Fitted: ")).build()
    refused = CliRunner().invoke(cli, ["fit", str(tmp_path / "none"), "-w", "snapshot_store"])
    assert refused.exit_code == 2
    assert "none: cannot be read" in refused.output
