"""The 14 anonymous-page cases of the kernel's tools/testing/selftests/mm/cow.c (v6.19), with verdicts.

Each runs on one page, and again with the page swapped out first. What was read decides, so a policy on the model and a
real kernel are judged by the same rule: a reader that must see what stood there before the write and does not is
a leak; a pin that must see the write of its owner and does not is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from cowbench import spec
from cowbench.expected import expect
from cowbench.ideal import IdealMachine
from cowbench.machine import Machine, MachineConfig, Process
from cowbench.observation import Observation
from cowbench.operations import DeviceRead, Operation, Read, Recorder, Write
from cowbench.policy import Policy

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["pass", "leak", "lost pin", "not applicable"]
Observe = Callable[[Sequence[Operation], MachineConfig], Observation]
PAGE = range(1)


@dataclass(frozen=True)
class Case:
    """One case. demands: what its last reader must see, the page as it was "before" the last write or "after" it."""

    number: int
    name: str
    run: Callable[[Machine, Process], None]
    demands: Literal["before", "after"]

    def program(self, *, swapped: bool) -> list[Operation]:
        """Return the case as a program of its own, up to the end of its only process."""
        operations: list[Operation] = []
        run_case(cast(Machine, Recorder(cast(Machine, IdealMachine()), operations.append)), self, swapped=swapped)
        return operations


@dataclass(frozen=True)
class Judged:
    """A verdict on one case: on the page in memory ("base") or swapped out first ("swapped"). reason: why not
    applicable.
    """

    case: Case
    page: Literal["base", "swapped"]
    verdict: Verdict
    reason: str = ""


def _basic(m: Machine, p: Process, *, mprotect: bool) -> None:
    c = m.fork(p)
    m.read(c, PAGE)
    if mprotect:
        m.protect(p, PAGE)
    m.write(p, PAGE)
    m.read(c, PAGE)
    m.exit(c)


def _vmsplice_in_child(m: Machine, p: Process, *, mprotect: bool) -> None:
    c = m.fork(p)
    m.read(c, PAGE)
    pipe = m.get(c, PAGE, coherent=False)
    m.discard(c, PAGE)
    if mprotect:
        m.protect(p, PAGE)
    m.write(p, PAGE)
    m.device_read(pipe)
    m.release(pipe)
    m.exit(c)


def _vmsplice_in_parent(m: Machine, p: Process, *, before_fork: bool) -> None:
    m.read(p, PAGE)
    if before_fork:
        pipe = m.get(p, PAGE, coherent=False)
    c = m.fork(p)
    if not before_fork:
        pipe = m.get(p, PAGE, coherent=False)
    m.discard(p, PAGE)
    m.write(c, PAGE)
    m.exit(c)
    m.device_read(pipe)
    m.release(pipe)


def _fixed_buffer(m: Machine, p: Process, *, fork: bool) -> None:
    buffer = m.pin(p, PAGE, write=True, longterm=True)
    if fork:
        c = m.fork(p)
    else:
        m.protect(p, PAGE, tracked=True)
    m.write(p, PAGE)
    m.device_read(buffer)
    m.release(buffer)
    if fork:
        m.exit(c)


def _read_only_pin(m: Machine, p: Process, *, page: Literal["shared", "previously shared", "exclusive"]) -> None:
    if page == "exclusive":
        m.protect(p, PAGE, tracked=True)
    else:
        c = m.fork(p)
    if page == "previously shared":
        m.exit(c)
    pin = m.pin(p, PAGE, write=False, longterm=True)
    m.write(p, PAGE)
    m.device_read(pin)
    m.release(pin)
    if page == "shared":
        m.exit(c)


def _pinned(number: int, how: str, page: Literal["shared", "previously shared", "exclusive"]) -> Case:
    name = f"read-only {how} pin on a read-only {page} page"
    return Case(number, name, lambda m, p: _read_only_pin(m, p, page=page), "after")


CASES: tuple[Case, ...] = (
    Case(1, "COW after fork", lambda m, p: _basic(m, p, mprotect=False), "before"),
    Case(2, "COW after fork, with mprotect", lambda m, p: _basic(m, p, mprotect=True), "before"),
    Case(3, "vmsplice and unmap in the child", lambda m, p: _vmsplice_in_child(m, p, mprotect=False), "before"),
    Case(4, "as 3, with mprotect", lambda m, p: _vmsplice_in_child(m, p, mprotect=True), "before"),
    Case(
        *(5, "vmsplice before fork, unmap in the parent after it"),
        *(lambda m, p: _vmsplice_in_parent(m, p, before_fork=True), "before"),
    ),
    Case(
        *(6, "vmsplice and unmap in the parent after fork"),
        *(lambda m, p: _vmsplice_in_parent(m, p, before_fork=False), "before"),
    ),
    Case(7, "fixed buffer mapped read-only", lambda m, p: _fixed_buffer(m, p, fork=False), "after"),
    Case(8, "fork with a fixed buffer", lambda m, p: _fixed_buffer(m, p, fork=True), "after"),
    _pinned(9, "slow-GUP", "shared"),
    _pinned(10, "GUP-fast", "shared"),
    _pinned(11, "slow-GUP", "previously shared"),
    _pinned(12, "GUP-fast", "previously shared"),
    _pinned(13, "slow-GUP", "exclusive"),
    _pinned(14, "GUP-fast", "exclusive"),
)
"""A Machine does not tell slow GUP and GUP-fast apart, so 9 and 10, 11 and 12, 13 and 14 are one program each."""


def run_case(machine: Machine, case: Case, *, swapped: bool) -> None:
    """Run one case in a process of its own, which has written the page."""
    process = machine.spawn()
    machine.write(process, PAGE)
    if swapped:
        machine.page_out(process, PAGE, drop=True)
    case.run(machine, process)
    machine.exit(process)


def judge(case: Case, program: Sequence[Operation], observation: Observation) -> tuple[Verdict, str]:
    """Return the verdict on what was seen of a case's program, and the reason if it is "not applicable"."""
    if observation.not_applicable:
        return "not applicable", observation.not_applicable
    writes = [index + 1 for index, operation in enumerate(program) if isinstance(operation, Write)]
    reader = max(index for index, operation in enumerate(program) if isinstance(operation, Read | DeviceRead))
    token = writes[0] if case.demands == "before" else writes[-1]
    if observation.steps[reader].tokens.tolist() == [token]:
        return "pass", ""
    return ("leak" if case.demands == "before" else "lost pin"), ""


def judge_all(observe: Observe, config: MachineConfig) -> list[Judged]:
    """Judge every case, in memory and swapped out, on a machine that `observe` runs programs on."""
    judged = []
    for case in CASES:
        for page in ("base", "swapped"):
            program = case.program(swapped=page == "swapped")
            judged.append(Judged(case, page, *judge(case, program, observe(program, config))))
    return judged


def on_model(policy: Policy) -> list[Judged]:
    """Judge every case on the model with a policy."""
    small = MachineConfig(frames=64)  # the cases are of one page; columns of 2^24 frames would take half of the time
    return judge_all(lambda program, config: expect(policy, config, program), small)


def conformance(policies: Iterable[str]) -> pd.DataFrame:
    """Return the verdicts of policies, given as specs, on the model: one row a policy, case and kind of page.

    Columns: policy (canonical spec), case (1 to 14), name, page ("base" or "swapped"), verdict, reason.
    Raises PluginError or ParameterError for a spec that is none.
    """
    rows = []
    for text in policies:
        parsed = spec.parse("policy", text)
        rows += table(parsed.text, on_model(parsed.build()))
    return frame(rows)


def table(machine: str, judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """Return judged cases as rows of `conformance`; a kernel is named `kernel:<release>` in place of a policy."""
    return [
        {
            "policy": machine,
            "case": one.case.number,
            "name": one.case.name,
            "page": one.page,
            "verdict": one.verdict,
            "reason": one.reason,
        }
        for one in judged
    ]


def frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return rows of several machines as one DataFrame."""
    import pandas as pd

    return pd.DataFrame(rows, columns=["policy", "case", "name", "page", "verdict", "reason"])
