"""A recording from beginning to end."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cowbench.errors import CowbenchError, ProgramError, RecordError
from cowbench.linux.build import built
from cowbench.machine import MachineConfig
from cowbench.record.launch import find, install, start
from cowbench.record.loop import Loop, on_signals
from cowbench.record.messages import Mailbox
from cowbench.record.script import Script
from cowbench.record.ways import LAST, choose, fault_ns
from cowbench.recording import Facts, Overhead, RecordingWriter, Way

_PRIORITY = -15
"""Nice value of the recorder: whoever waits for it waits less, and what happens is seen when it happens."""

_LIBRARY = ("-shared", "-fPIC", "-O2", "-ldl")


@dataclass(frozen=True)
class Options:
    """interval_ms: between two looks. seconds: when to end at the latest. stop: then end the program, too.

    way: how to find written pages; None: the best there is.
    """

    interval_ms: float = 10.0
    seconds: float | None = None
    stop: bool = False
    way: Way | None = None


@dataclass(frozen=True)
class Outcome:
    """What was recorded. operations: how many of each kind. status: the program's, None if it lives."""

    way: Way
    why: str
    ms: float
    operations: dict[str, int]
    pages_written: int
    missed: dict[str, int]
    overhead: Overhead
    status: int | None


def record(program: Sequence[str], output: Path, options: Options) -> Outcome:
    """Run a program and record it into `output`.

    Raises RecordError if that cannot begin, or when the file cannot be written any more: the program then runs on, and
    what was written till then can be read.
    """
    way = choose(options.way)
    find(program[0])
    library = install(built(Path(__file__).with_name("preload.c"), _LIBRARY))
    fault = fault_ns() if way == "userfaultfd" else 0.0
    facts = Facts(tuple(program), platform.release(), options.interval_ms, way, _now(), sampled=way == LAST)
    writer = RecordingWriter(output, MachineConfig(), facts)
    mailbox = Mailbox()
    try:
        process = start(program, library, mailbox.address)
    except CowbenchError:
        writer.close()
        if output.is_file():
            output.unlink()
        raise
    os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    script = Script(writer)
    loop = Loop(mailbox, script, options.interval_ms / 1000, options.seconds, way)
    on_signals(loop)
    outcome = _follow(loop, script, process, fault)
    if options.stop and process.poll() is None:
        process.terminate()
        outcome = replace(outcome, status=process.wait())
    if not outcome.operations:
        raise RecordError(f"nothing to record: {program[0]} never loaded {library}; is it set-user-id?")
    return outcome


def _follow(loop: Loop, script: Script, process: subprocess.Popen[bytes], fault: float) -> Outcome:
    try:
        why = loop.run(process)
        costs = loop.costs
        cost = Overhead(costs.waited * 1000, costs.scanned * 1000, costs.faults, fault)
        script.end(cost, why, process.poll())
        script.writer.close()
    except ProgramError as error:
        goes_on = f"; the program (pid {process.pid}) goes on unrecorded" if process.poll() is None else ""
        raise RecordError(f"{error}; the recording ends after {script.ms / 1000:g} s{goes_on}") from None
    finally:
        loop.close()
    missed = dict(script.missed)
    return Outcome(
        loop.way, why, script.ms, dict(script.operations), script.pages_written, missed, cost, process.poll()
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
