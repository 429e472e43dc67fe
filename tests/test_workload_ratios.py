"""Scaling keeps ratios: what a workload declares is what it does, at its default size and at others.

Each check measures a ratio with the probe and compares it with the parameters, never with the script.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

import numpy as np
import pytest

from cowbench.replay import Replay
from tests.test_workloads import NAMES, load, probed
from tests.workload_probe import Life, Pageset, Probe

Check = Callable[[Any, Probe], None]


def ended(probe: Probe) -> list[Life]:
    """Return the forks whose child has exec'ed or exited."""
    return [life for life in probe.lives if life.over]


def mean(values: list[float]) -> float:
    return float(np.mean(values))


def all_pinned(w: Any, p: Probe) -> None:
    (life,) = p.lives
    assert life.pinned == len(life.inherited) == w.pages
    assert len(life.parent_wrote) == w.pages
    assert life.longterm == (w.pages if w.longterm else 0)


def anon_cow(w: Any, p: Probe) -> None:
    reserved = w.unit * w.tasks // (w.tasks + 1)
    assert len(p.lives) == w.tasks
    assert {len(life.inherited) for life in p.lives} == {reserved}
    assert {life.written() for life in p.lives} == {1.0}
    assert not any(life.parent_writes for life in p.lives)
    assert p.pages["write"] == reserved * (w.tasks + 1)


def database_prefork(w: Any, p: Probe) -> None:
    writes = [len(life.child_wrote) for life in p.lives]
    own = [int((life.child_wrote.numbers() >= w.pages).sum()) for life in p.lives]
    assert len(p.lives) == w.connections
    assert max(life.alive for life in p.lives) <= w.backends + 2
    assert max(own) <= w.most * (1 - w.inherited) + 1
    assert w.fewest * 0.8 < min(writes) < max(writes) <= w.most
    assert mean([n / life.child_wrote.numbers().size for n, life in zip(own, p.lives, strict=True)]) == pytest.approx(
        1 - w.inherited, abs=0.1
    )
    assert not any(life.parent_writes for life in p.lives)


def dataloader(w: Any, p: Probe) -> None:
    written = 1.0 if w.payload == "objects" else w.headers
    assert len(p.lives) == w.workers * w.epochs
    for life in p.lives:
        assert len(life.child_read) == w.pages
        assert life.written() == pytest.approx(written, abs=1 / w.pages)


def direct_io_race(w: Any, p: Probe) -> None:
    held = [life.got + life.pinned for life in p.lives]
    assert set(held) <= {0, w.depth}
    assert mean([n > 0 for n in held]) == pytest.approx(w.held, abs=0.2)
    assert mean([life.parent_writes / w.depth for life in p.lives]) == pytest.approx(w.raced, abs=0.05)
    assert mean([float(reference.write) for reference in p.references]) == pytest.approx(w.reading, abs=0.2)
    assert {reference.pin for reference in p.references} == {w.reference == "pin"}


def fork_server(w: Any, p: Probe) -> None:
    shares = [life.written() for life in p.lives]
    assert w.fewest <= min(shares) < w.fewest * 1.5
    assert w.most / 1.5 < max(shares) <= w.most + 1 / w.pages
    assert not any(life.parent_writes for life in p.lives)


def many_sharers(w: Any, p: Probe) -> None:
    assert max(life.alive for life in p.lives) == w.children + 1
    assert p.pages["pin"] == w.pages
    assert not any(life.references for life in p.lives)
    assert not any(life.over for life in p.lives)


def no_fork(w: Any, p: Probe) -> None:
    assert set(p.calls) == {"spawn", "write", "read", "discard", "exit"}
    accesses = w.pages * w.passes
    assert p.pages["read"] / accesses == pytest.approx(1 - w.written, abs=0.01)
    assert p.pages["discard"] / accesses == pytest.approx(w.freed, abs=0.01)


def pinned_once(w: Any, p: Probe) -> None:
    assert p.pages["pin"] == w.pages
    assert not any(life.pinned for life in p.lives)
    settled = [life.references / w.popular for life in p.lives[w.stay :]]
    assert mean(settled) == pytest.approx(w.clients, rel=0.05)
    assert mean([life.written() for life in p.lives]) == pytest.approx(1 - exp(-w.written), rel=0.1)


def pipe_attacker(w: Any, p: Probe) -> None:
    sizes = [len(reference.pages) for reference in p.references]
    assert 1 <= min(sizes) < max(sizes) <= w.stolen <= 16
    assert p.pages["discard"] == sum(sizes)
    assert p.calls["page_out"] / w.attacks == pytest.approx(w.swapped, abs=0.2)
    assert p.held() / w.attacks == pytest.approx(w.kept, abs=0.15)
    assert all(set(life.parent_wrote.numbers()) <= set(life.inherited.numbers()) for life in p.lives)


def prefork_web(w: Any, p: Probe) -> None:
    first = [life.written() for life in p.lives if len(life.child_wrote)]
    longest = min(w.rounds, w.workers)  # rounds until a worker is recycled
    touched = 1 - exp(-w.touched * w.requests * longest)
    collected = w.collected if w.gc == "on" else 0.0
    assert max(first) <= collected + (1 - collected) * touched + 0.02
    assert min(first) >= collected - 1 / w.pages
    assert {life.alive for life in p.lives[w.workers :]} == {w.workers + 1}
    grown = max(int((life.child_wrote.numbers() >= w.pages).sum()) for life in p.lives)
    assert grown == (pytest.approx(w.growth * w.requests * longest, rel=0.1) if w.gc == "off" else 0)
    assert not any(life.parent_writes for life in p.lives)


def rdma_hidden_fork(w: Any, p: Probe) -> None:
    for life in p.lives:
        assert life.longterm / w.pages == pytest.approx(w.pinned, abs=1 / w.pages)
        assert len(life.parent_wrote) / w.pages == pytest.approx(w.raced, abs=0.05)
        assert len(life.inherited) == w.pages - (life.pinned if w.dontfork else 0)
        assert not len(life.child_wrote)


def short_pin(w: Any, p: Probe) -> None:
    for life in p.lives:
        assert (life.pinned - life.longterm) / w.pages == pytest.approx(w.in_flight, abs=2 / w.pages)
        assert life.longterm == int(w.registered)
        assert len(life.parent_wrote) / w.pages == pytest.approx(w.raced, abs=0.06)


def snapshot_store(w: Any, p: Probe) -> None:
    life_seconds = w.pages / w.disk
    assert len(p.lives) == w.saves
    assert {len(life.child_read) for life in p.lives} == {w.pages}
    assert mean([len(life.parent_wrote) / w.pages for life in p.lives]) == pytest.approx(0.18, abs=0.01)
    writes = (p.pages["write"] - w.pages) / w.saves
    assert mean([life.parent_writes / writes for life in p.lives]) == pytest.approx(life_seconds / w.every, abs=0.02)


def snapshot_under_swap(w: Any, p: Probe) -> None:
    resident = [1 - life.swapped / w.pages for life in p.lives]
    assert mean(resident) == pytest.approx(w.limit, abs=0.04)
    assert mean([len(life.child_read) / w.pages for life in p.lives]) == 1.0
    served = w.guests * w.saves * (w.rounds * int(w.pages * w.read))
    written = p.pages["write"] - w.guests * w.pages - sum(life.parent_writes for life in p.lives)
    assert written / served == pytest.approx(w.written, abs=0.01)


def spawn_exec(w: Any, p: Probe) -> None:
    after_start = p.pages["write"] - w.pages - w.child_writes * w.spawns
    early = sum(life.parent_writes for life in p.lives) / after_start
    assert early == pytest.approx(w.child_life * w.rate, abs=0.1)
    assert mean([float(len(life.child_wrote)) for life in p.lives]) == pytest.approx(w.child_writes, rel=0.1)
    assert all(life.over for life in p.lives)
    assert p.calls["exec"] == w.spawns


def stream(w: Any, p: Probe) -> None:
    everything, actions = 3 * w.pages * w.passes, w.action.split("+")
    assert p.pages["read"] / (p.pages["write"] - 3 * w.pages) == pytest.approx(1.5)
    assert p.pages["fork"] == (everything if "fork" in actions else 0)
    assert p.pages["page_out"] == (everything if "swap" in actions else 0)
    assert p.pages["protect"] == (everything if "mprotect" in actions else 0)
    assert not any(life.parent_writes for life in p.lives)
    assert 3 * w.pages % 15 != 0  # something is left in the LRU batch


def swap_pressure(w: Any, p: Probe) -> None:
    touched = w.threads * w.rounds * w.pages
    assert not p.lives
    assert p.pages["page_out"] == touched
    assert p.pages["read"] / touched == pytest.approx(w.read_first, abs=0.5 / w.pages)
    assert p.pages["stage"] == (2 * touched if w.backend == "writeback" else 0)


def trace(w: Any, p: Probe) -> None:
    assert p.calls["spawn"] == 28
    assert p.calls["page_out"] == 14
    assert p.alive() == 0


def uring_server(w: Any, p: Probe) -> None:
    fixed = w.buffers * w.size
    for life in p.lives:
        assert life.longterm / len(life.inherited) == pytest.approx(fixed / (fixed + w.heap))
        assert life.parent_writes == int(fixed * w.raced)
        assert life.during == 2 * w.stores


def vm_guest(w: Any, p: Probe) -> None:
    for life in p.lives:
        assert life.longterm == w.pages
        assert len(life.inherited) == w.heap + (0 if w.dontfork else w.pages)
    guest_writes = p.pages["write"] - w.heap - w.helpers * (w.heap // 8)
    assert guest_writes / (w.pages * w.helpers) == pytest.approx(w.written, abs=0.01)


def worker_refork(w: Any, p: Probe) -> None:
    assert len(p.lives) == w.generations * (w.workers + 1)
    for generation in range(w.generations):
        lives = p.lives[generation * (w.workers + 1) :][: w.workers]
        writes = w.first * exp(-generation / w.decay)
        wrote = [float((life.child_wrote.numbers() < w.pages).sum()) / w.pages for life in lives]
        assert mean(wrote) == pytest.approx(1 - exp(-writes), rel=0.1, abs=0.01)
        assert all(life.over for life in lives)


def write_fault_duration(w: Any, p: Probe) -> None:
    assert not p.lives
    assert p.pages["protect"] == w.pages * w.passes
    assert p.pages["write"] == w.pages * (w.passes + 1)
    assert w.pages % 15 != 0  # something is left in the LRU batch


def zygote(w: Any, p: Probe) -> None:
    heap = int(w.pages * w.heap)
    assert len(p.lives) == w.apps
    assert max(life.alive for life in p.lives) == w.cached + 2
    assert p.calls["get"] / w.apps == pytest.approx(w.hostile, abs=0.12)
    assert {len(reference.pages) for reference in p.references} <= {w.stolen}
    besides = [float((life.child_wrote.numbers() >= heap).sum()) / w.pages for life in p.lives]
    assert mean(besides) == pytest.approx(w.written, abs=0.01)
    assert {len(life.inherited) for life in p.lives} == {w.pages - int(heap * w.purged)}


def container_host(w: Any, p: Probe) -> None:
    held = int(w.pages * w.pinned)
    assert {(life.longterm, len(life.inherited)) for life in p.lives} == {(held, w.pages)}
    assert len(p.lives) == w.containers
    assert max(life.alive for life in p.lives) == min(w.alive, w.containers) + 1
    assert mean([life.written() for life in p.lives]) == pytest.approx(w.written, abs=0.02)


def failed_fork(w: Any, p: Probe) -> None:
    (life,) = p.lives
    assert (life.pinned, life.got) == (w.pages // 2, (w.pages + 1) // 2 if w.direct_io else 0)
    assert len(life.inherited) == len(life.parent_wrote) == w.pages


def many_references(w: Any, p: Probe) -> None:
    (life,) = p.lives
    assert (life.pinned, life.references) == (0, w.pages * w.gets)
    assert not life.parent_writes


def pin_window(w: Any, p: Probe) -> None:
    error = 5 * (w.rate * w.hold / w.forks) ** 0.5
    assert mean([life.pinned for life in p.lives]) == pytest.approx(w.rate * w.hold, abs=error)
    assert mean([life.parent_writes for life in p.lives]) == pytest.approx(w.rate * w.hold * w.written, abs=error)
    assert p.calls["pin"] == 2 * w.forks
    assert p.pages["pin"] / w.forks == pytest.approx(w.rate, abs=5 * (w.rate / w.forks) ** 0.5)


def short_memory(w: Any, p: Probe) -> None:
    held = int(w.pages * w.pinned)
    frames = w.machine().frames
    assert {life.longterm for life in p.lives} == {held}
    hogged = (p.pages["write"] - w.pages - w.forks * held) / w.forks
    free = frames - w.pages - hogged
    assert free / held == pytest.approx(w.spare, abs=4 * w.spare / (3 * w.forks) ** 0.5)


def redis_bgsave(w: Any, p: Probe) -> None:
    first, second, third = (shared(life.parent_wrote, life) for life in p.lives)
    assert 0.2 < first < 0.5 < second < third  # at three rates
    assert all(shared(life.child_wrote, life) < 0.03 for life in p.lives)


def python_pool(w: Any, p: Probe) -> None:
    quarter = 200_000 * 24 / 4096 / 4  # pages; each has objects that are read
    assert len(p.lives) == 3 * 4
    assert max(life.alive for life in p.lives) == 1 + 4
    assert mean([float(len(life.child_wrote)) for life in p.lives]) > quarter
    assert all(shared(life.child_wrote, life) < 0.4 for life in p.lives)
    assert all(shared(life.parent_wrote, life) < 0.15 for life in p.lives)


def prefork_server(w: Any, p: Probe) -> None:
    assert len(p.lives) > 4  # some are replaced
    assert max(life.alive for life in p.lives) == 1 + 4
    assert min(shared(life.child_wrote, life) for life in p.lives) > 0.8  # at the latest when it ends
    assert all(shared(life.parent_wrote, life) < 0.1 for life in p.lives)


def postgres_backends(w: Any, p: Probe) -> None:
    assert 21 < max(life.alive for life in p.lives) < 30  # with its own helpers
    assert all(shared(life.child_wrote, life) == pytest.approx(0.28, abs=0.05) for life in p.lives)
    assert all(shared(life.parent_wrote, life) < 0.1 for life in p.lives)
    assert all(len(life.inherited) < 1_000 for life in p.lives)  # no shared buffers among them


def shared(pages: Pageset, life: Life) -> float:
    """Return the share of what a child got that is among `pages`."""
    return float(np.isin(life.inherited.numbers(), pages.numbers()).mean())


CHECKS: dict[str, Check] = {name: globals()[name.removesuffix("_seq").removesuffix("_rand")] for name in NAMES}

OTHER_SIZES: list[tuple[str, dict[str, Any]]] = [
    ("all_pinned", {"pages": 1024, "longterm": False}),
    ("anon_cow_rand", {"unit": 512, "tasks": 2}),
    ("anon_cow_seq", {"unit": 1024, "tasks": 12}),
    ("container_host", {"pages": 512, "containers": 12, "alive": 3}),
    ("failed_fork", {"pages": 6, "fail_at": 2, "direct_io": False}),
    ("many_references", {"pages": 2, "gets": 5}),
    ("pin_window", {"rate": 20.0, "hold": 0.5, "forks": 300}),
    ("short_memory", {"pages": 64, "forks": 200, "spare": 1.5}),
    ("database_prefork", {"pages": 1280, "fewest": 200, "most": 1000}),
    ("dataloader", {"pages": 1000, "workers": 8}),
    ("dataloader", {"pages": 1000, "payload": "numpy"}),
    ("direct_io_race", {"pages": 64, "requests": 100, "reference": "pin"}),
    ("fork_server", {"pages": 25_000}),
    ("many_sharers", {"children": 40, "pages": 3}),
    ("no_fork", {"pages": 512}),
    ("pinned_once", {"pages": 4096, "clients": 200}),
    ("pipe_attacker", {"pages": 64, "attacks": 100}),
    ("prefork_web", {"pages": 8192, "workers": 4, "gc": "off", "growth": 6.4}),
    ("prefork_web", {"pages": 512, "gc": "freeze"}),
    ("rdma_hidden_fork", {"pages": 32_768, "dontfork": True}),
    ("rdma_hidden_fork", {"pages": 1024, "pinned": 0.9}),
    ("short_pin", {"pages": 512, "registered": True}),
    ("snapshot_store", {"pages": 32_768, "disk": 1000.0, "commands": 412.0, "saves": 2}),
    ("snapshot_under_swap", {"pages": 1024, "guests": 1, "limit": 0.7}),
    ("spawn_exec", {"pages": 500, "writes": 100, "rate": 500.0}),
    ("stream", {"pages": 102, "action": "mprotect"}),
    ("stream", {"pages": 101, "action": "swap+fork"}),
    ("swap_pressure", {"pages": 1, "threads": 3, "read_first": 1.0}),
    ("swap_pressure", {"pages": 1000, "backend": "writeback"}),
    ("uring_server", {"buffers": 64, "heap": 4096, "batches": 10}),
    ("vm_guest", {"pages": 1024, "dontfork": False}),
    ("worker_refork", {"pages": 4096, "workers": 16, "generations": 5}),
    ("write_fault_duration", {"pages": 1024, "passes": 3}),
    ("zygote", {"pages": 8192, "apps": 100}),
]


def test_every_workload_but_a_replay_is_tried_at_another_size() -> None:
    replays = {name for name in NAMES if issubclass(load(name), Replay)}
    assert {name for name, _ in OTHER_SIZES} | replays == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_ratios_at_the_default_size(name: str) -> None:
    workload = load(name)()
    CHECKS[name](workload, probed(workload))


@pytest.mark.parametrize(("name", "values"), OTHER_SIZES, ids=lambda value: str(value))
def test_ratios_at_another_size(name: str, values: dict[str, Any]) -> None:
    workload = load(name).from_values(values)
    CHECKS[name](workload, probed(workload))
