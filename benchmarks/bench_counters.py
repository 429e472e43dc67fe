"""Exact counters of every built-in policy on every built-in workload: whatever moves, moved for a reason."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cells import METRICS, POLICIES, SENTINELS, Cell, label, simulate

Cells = dict[tuple[str, str], Cell]
Track = Callable[..., int | None]


def setup_cache() -> Cells:
    """Simulate each cell once, for all benchmarks of this file."""
    return simulate()


setattr(setup_cache, "timeout", 600)  # noqa: B010 (asv reads attributes of functions, types know of none)


def _counter(version: int) -> Callable[[Track], Track]:
    """Tell asv what a counter is: its unit, that less is better, and a version, raised when its meaning changes."""

    def mark(track: Track) -> Track:
        metric = track.__name__.removeprefix("track_")
        facts = {"unit": METRICS[metric], "version": f"{metric}-{version}", "less_is_better": True}
        for name, value in facts.items():
            setattr(track, name, value)
        return track

    return mark


def _value(cells: Cells, policy: str, workload: str, metric: str) -> int | None:
    cell = cells[policy, workload]
    assert not isinstance(cell, str), "setup() lets no such cell pass"
    return cell[metric]


class _Cells:
    param_names = ("policy", "workload")

    def setup(self, cells: Cells, policy: str, workload: str) -> None:
        """Leave out cells that the commit cannot run, and say why."""
        cell = cells[policy, workload]
        if isinstance(cell, str):
            raise NotImplementedError(f"{policy} on {workload}: {cell}")


class Counters(_Cells):
    """What a policy costs on a workload."""

    params = (POLICIES, tuple(map(label, SENTINELS)))

    @_counter(version=1)
    def track_copies(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "copies")

    @_counter(version=1)
    def track_false_positive_copies(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "false_positive_copies")

    @_counter(version=1)
    def track_leaks(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "leaks")

    @_counter(version=1)
    def track_lost_pins(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "lost_pins")

    @_counter(version=1)
    def track_lost_gets(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "lost_gets")

    @_counter(version=1)
    def track_frames_peak(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "frames_peak")


class Fork(_Cells):
    """Modelled latency of fork, where a workload forks."""

    params = (POLICIES, tuple(label(name) for name, sentinel in SENTINELS.items() if sentinel.forks))

    @_counter(version=1)
    def track_fork_ns_mean(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "fork_ns_mean")

    @_counter(version=1)
    def track_fork_ns_p99(self, cells: Cells, policy: str, workload: str) -> int | None:
        return _value(cells, policy, workload, "fork_ns_p99")
