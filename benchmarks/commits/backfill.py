"""Record the exact counters of every commit since the engine first ran, as far as benchmarks/history lacks them.

Engine and policies are those of each commit, workloads those of this checkout. Counters are exact, so what is counted
now is what would have been counted then. A cell that a commit cannot run stands in absent.csv with the reason; of a
commit that cannot run half of them nothing else is recorded, for its parts did not fit together yet.

usage: python -m benchmarks.commits.backfill [--jobs N]
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

from benchmarks import cells
from benchmarks.commits import git
from benchmarks.commits.asv import HISTORY
from benchmarks.commits.count import benchmarks
from cowbench.errors import CowbenchError, HistoryError
from cowbench.history import files
from cowbench.history.files import Results

ABSENT = HISTORY / "absent.csv"
ENGINE = "cowbench/simulated/__init__.py"
NEEDED = ("cowbench", "policies", "workloads", "reports")

Cells = dict[tuple[str, str], cells.Cell]


class Absent(NamedTuple):
    """A line of absent.csv: the cells of policies on workloads, each with spaces between, that a commit cannot run."""

    commit: str
    workloads: str
    policies: str
    reason: str


def main() -> int:
    """Fill the gaps; return 2 after a mistake that the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1, help="commits at a time")
    try:
        git.need_history()
        git.need_clean()
        backfill(parser.parse_args().jobs)
    except CowbenchError as error:
        print(f"backfill: {error}", file=sys.stderr)
        return 2
    return 0


def backfill(jobs: int) -> None:
    """Record what is missing, commit by commit; what is recorded stays, so it can be stopped and run again."""
    gaps = {commit: gap for commit in commits() if (gap := missing(commit))}
    start = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(count, commit, gap): commit for commit, gap in gaps.items()}
        for done, future in enumerate(as_completed(running), 1):
            record(running[future], future.result())
            left = (time.monotonic() - start) / done * (len(gaps) - done)
            print(f"{done} of {len(gaps)} commits, about {left:.0f} s left", flush=True)
    print(f"{HISTORY}: {len(gaps)} commits recorded now")


def commits() -> list[str]:
    """Return the commits of the main line since the engine first ran, oldest first."""
    first = git.ask("log", "--diff-filter=A", "--format=%H", "--reverse", "--", ENGINE)
    if not first:
        raise HistoryError(f"no commit added {ENGINE}; is this a clone of cowbench?")
    since = first.splitlines()[0]
    return [since, *(git.ask("rev-list", "--first-parent", "--reverse", f"{since}..HEAD") or "").split()]


def recorded(commit: str) -> Results:
    """Return what the history holds of a commit."""
    fresh = Results(commit, git.date_of(commit))
    file = HISTORY / files.MACHINE / f"{commit[:8]}-{fresh.environment}.json"
    return (
        files.read_file(file, {benchmark.name: benchmark for benchmark, _, _ in benchmarks()})
        if file.exists()
        else fresh
    )


def missing(commit: str) -> list[str]:
    """Return the workloads about which the history says nothing at a commit."""
    there = recorded(commit).cells
    explained = {workload for line in read_absent() if line.commit == commit[:8] for workload in line.workloads.split()}
    lacking = {
        workload
        for benchmark, _, workloads in benchmarks()
        for workload in workloads
        for policy in cells.POLICIES
        if (policy, workload) not in there.get(benchmark, {})
    }
    # Of a commit that cannot run most cells, nothing else is recorded.
    return [name for name in cells.SENTINELS if cells.label(name) in (lacking if there else lacking - explained)]


def record(commit: str, made: Cells) -> None:
    """Add cells of a commit to the history, and why some are absent."""
    results = recorded(commit)
    reasons = [cell for cell in made.values() if isinstance(cell, str)]
    if len(reasons) > len(made) / 2 and not results.cells:
        explain(commit, dict.fromkeys(made, f"most cells of this commit cannot run, as in {reasons[0]}"))
        return
    explain(commit, made)
    for benchmark, metric, labels in benchmarks():
        kept = results.cells.setdefault(benchmark, {})
        for (policy, workload), cell in made.items():
            if workload in labels:
                value = None if isinstance(cell, str) else cell[metric]
                kept[policy, workload] = math.nan if value is None else value
    files.write(HISTORY, [results])


def count(commit: str, workloads: list[str]) -> Cells:
    """Run the cells of some workloads on a commit's own engine and policies."""
    with tempfile.TemporaryDirectory() as folder:
        archive = ["git", "-C", str(git.ROOT), "archive", commit, "--", *present(commit)]
        with subprocess.Popen(archive, stdout=subprocess.PIPE) as packed:
            subprocess.run(["tar", "-x", "-C", folder], stdin=packed.stdout, check=True)
        words = [sys.executable, "-P", str(git.ROOT / "benchmarks" / "cells.py"), *workloads]
        environment = {**os.environ, "PYTHONPATH": folder}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return {(policy, cells.label(workload)): reason for workload in workloads for policy in cells.POLICIES}
    # Paths of this computer have no place in a record.
    output = done.stdout.replace(f"{folder}/", "").replace(f"{git.ROOT}/", "")
    return {(policy, workload): cell for policy, workload, cell in json.loads(output)}


def present(commit: str) -> list[str]:
    """Return the folders of NEEDED that a commit has."""
    return (git.ask("ls-tree", "--name-only", commit, "--", *NEEDED) or "").split()


def explain(commit: str, made: Mapping[tuple[str, str], cells.Cell]) -> None:
    """Put into absent.csv why cells of a commit are absent, in place of what it says of these cells."""
    reasons = {
        (policy, workload): line.reason
        for line in read_absent()
        if line.commit == commit[:8]
        for workload in line.workloads.split()
        for policy in line.policies.split()
    }
    reasons = {key: reason for key, reason in reasons.items() if key not in made}
    reasons |= {key: cell for key, cell in made.items() if isinstance(cell, str)}
    others = [line for line in read_absent() if line.commit != commit[:8]]
    order = {known[:8]: place for place, known in enumerate(commits())}
    lines = sorted([*others, *_grouped(commit[:8], reasons)], key=lambda line: (order.get(line.commit, -1), line[1:]))
    ABSENT.parent.mkdir(parents=True, exist_ok=True)
    with ABSENT.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([Absent._fields, *lines])


def _grouped(commit: str, reasons: dict[tuple[str, str], str]) -> list[Absent]:
    """Return as few lines as tell all: first policies with the same reason on a workload, then workloads alike."""
    policies: dict[tuple[str, str], list[str]] = {}
    for (policy, workload), reason in sorted(reasons.items()):
        policies.setdefault((workload, reason), []).append(policy)
    workloads: dict[tuple[str, str], list[str]] = {}
    for (workload, reason), some in policies.items():
        workloads.setdefault((" ".join(some), reason), []).append(workload)
    return [Absent(commit, " ".join(alike), some, reason) for (some, reason), alike in workloads.items()]


def read_absent() -> list[Absent]:
    """Return the lines of absent.csv."""
    if not ABSENT.exists():
        return []
    with ABSENT.open(encoding="utf-8", newline="") as stream:
        return [Absent(*line) for line in csv.reader(stream)][1:]


if __name__ == "__main__":
    sys.exit(main())
