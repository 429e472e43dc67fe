"""A distribution's kernel in QEMU: it shows the golden vectors of its era, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cowbench.compare import first_difference
from cowbench.errors import KernelError
from cowbench.expected import expect
from cowbench.linux import guest as guests
from cowbench.linux.guest import Guest
from cowbench.linux.initramfs import initramfs
from cowbench.machine import Process
from cowbench.observation import SWAPPED, Observation
from cowbench.operations import Fork, Operation, PageOut, Pin, Read
from cowbench.places import Places, shape
from cowbench.plugins import load
from tests.golden import ERAS, Vector, settled
from tests.guests import KERNEL, cached_image

COLUMN = "E4"
P = Process(0)
POLICY = load("policy", "anon_exclusive").from_values({"kernel": "6.1"})

FEW_PROCESSES = [vector for vector in ERAS if sum(isinstance(step, Fork) for step in vector.program) < 100]
"""After every operation the pages of every process are read: for the thousand of V30 that takes QEMU a minute."""


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    guest = Guest(KERNEL, cached_image().path)
    yield guest
    guest.close()


def staged_on_kernels(vector: Vector) -> list[Operation]:
    """Long-term pins for short ones, which no kernel stages; the exclusive pages of 5.19 treat both alike."""
    return [replace(step, longterm=True) if isinstance(step, Pin) and step.write else step for step in vector.program]


def moved(program: list[Operation], seen: Observation) -> set[int]:
    """The processes with a page that moved to another frame, or was copied for them at their fork."""
    places, child = Places(*shape(program, seen.steps)), 0
    found: set[int] = set()
    for operation, step in zip(program, seen.steps, strict=True):
        places.apply(operation, step)
        found |= {int(process) for process, _ in np.argwhere(places.moved)}
        if isinstance(operation, Fork):
            child += 1
            parent = places.table[operation.process]
            both = (places.table[child] >= 0) & (parent >= 0)
            if (both & (places.table[child] != parent)).any():
                found.add(child)
    return found


@pytest.mark.parametrize("vector", FEW_PROCESSES, ids=lambda vector: vector.name)
def test_a_golden_vector_is_what_the_kernel_shows(guest: Guest, vector: Vector) -> None:
    program = staged_on_kernels(vector)
    seen = guest.observe(program, vector.config)
    if seen.not_applicable:
        assert any(word in seen.not_applicable for word in ("simulation", "read_pin", "tracked", "swap device"))
        return
    assert first_difference(program, expect(POLICY, vector.config, program), seen) is None
    if COLUMN in vector.moves and not any(isinstance(step, PageOut) for step in program):
        assert moved(program, seen) == vector.moves[COLUMN]


def test_most_golden_vectors_apply(guest: Guest) -> None:
    applied = [v.name for v in FEW_PROCESSES if not guest.observe(staged_on_kernels(v), v.config).not_applicable]
    assert len(applied) >= 30
    assert {"V1", "V4", "V26", "V39", "V44", "V47", "V49"} <= set(applied)


def test_swap_goes_to_the_scratch_disk_and_back(guest: Guest) -> None:
    seen = guest.observe([*settled(3), PageOut(P, range(2), drop=True), Read(P, range(3))])
    assert seen.steps[-2].frame.tolist() == [SWAPPED, SWAPPED]
    assert (seen.steps[-1].frame >= 0).all()
    assert seen.steps[-1].tokens.tolist() == [2, 2, 2]


def test_a_guest_whose_init_does_not_run_says_how_it_panicked(monkeypatch: pytest.MonkeyPatch) -> None:
    image = cached_image()
    monkeypatch.setattr(guests, "_kvm_boots", lambda *_: False)
    monkeypatch.setattr(guests, "_initrd", lambda: initramfs(b"this is no program"))
    with pytest.raises(KernelError, match=r"debian:6.1: the guest panicked: Kernel panic - not syncing: .*init"):
        Guest(KERNEL, image.path)


def test_a_silent_guest_is_given_up_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    image = cached_image()
    monkeypatch.setattr(guests, "_kvm_boots", lambda *_: False)
    before = children_named("qemu-system-x86", os.getpid())
    with pytest.raises(KernelError, match=r"no answer for 0.1 s; debian:6.1: the guest hangs"):
        Guest(KERNEL, image.path, timeout_s=0.1)
    assert children_named("qemu-system-x86", os.getpid()) == before


def test_no_qemu_outlives_a_killed_python() -> None:
    image = cached_image()
    code = f"from cowbench.linux.guest import Guest; from pathlib import Path; Guest('x', Path({str(image.path)!r}))\n"
    code += "print('up', flush=True); import time; time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as python:
        assert python.stdout is not None
        assert python.stdout.readline() == b"up\n"
        (child,) = children_named("qemu-system-x86", python.pid)
        python.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.1)
    pytest.fail(f"QEMU (process {child}) lives on")


def children_named(name: str, parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rsplit(")", 1)
        except OSError:
            continue  # it ended meanwhile
        state, owner = words[1].split()[:2]
        if name in words[0] and int(owner) == parent and state != "Z":
            found.append(int(stat.parent.name))
    return found
