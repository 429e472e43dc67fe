"""Compare the exact counters of the current commit with those of another: exit code 1 if one got worse.

usage: python -m benchmarks.commits.compare BASE | --ci

With --ci, as in continuous integration: after `asv check`, against the parent commit; what the commit's message
announces in a line "Counters-move: why" is no failure. A clone that lacks the parent counts the current commit alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys

import pandas as pd

from benchmarks import cells
from benchmarks.commits import git
from benchmarks.commits.asv import SCRATCH, asv, need_asv
from benchmarks.commits.count import absent, benchmarks, expected, is_absent, need_every_cell, results_of
from cowbench import statistics
from cowbench.errors import CowbenchError, HistoryError
from cowbench.history.files import MACHINE, Results

RESULTS = SCRATCH / "compare"
_SHOWN = 40


class NothingToCompare(HistoryError):
    """The other commit cannot be built, or runs no cell."""


def main() -> int:
    """Measure both and say what moved: 0 if nothing got worse, 1 if something did, 2 if it could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("base", nargs="?", help="commit to compare with: a hash, a tag, a branch, HEAD~3")
    chosen.add_argument("--ci", action="store_true", help="the parent commit, if this clone has it")
    arguments = parser.parse_args()
    try:
        need_asv()
        git.need_clean()
        if arguments.ci:
            return after_parent()
        return compare(arguments.base)
    except CowbenchError as error:
        print(f"asv-compare: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("asv-compare: interrupted", file=sys.stderr)
        return 130


def after_parent() -> int:
    """Compare with the parent commit, unless this clone lacks it."""
    with asv(RESULTS) as runner:
        runner.need("check")
    if git.ask("rev-parse", "--verify", "--quiet", "HEAD^") is not None:
        try:
            code = compare("HEAD^")
        except NothingToCompare as why:  # no fault of this commit's, which counts
            print(why)
            return 0
        return 0 if code == 1 and announced("HEAD^") else code
    print("this clone has no parent of HEAD to compare with (shallow?), so HEAD alone is counted")
    with asv(RESULTS) as runner:
        runner.need("run", "--machine", MACHINE, "--bench", "^bench_counters", "HEAD^!")
    print(need_every_cell(results_of(RESULTS, git.commit_of("HEAD"))))
    return 0


def compare(name: str) -> int:
    """Let asv compare HEAD with a commit, and say in words which cells moved."""
    base, head = git.commit_of(name), git.commit_of("HEAD")
    if base == head:
        raise HistoryError(f"'{name}' is the current commit itself; give an older one, as in BASE=HEAD~1")
    shutil.rmtree(RESULTS, ignore_errors=True)
    with asv(RESULTS) as runner:
        code = runner.call(
            "continuous", "--factor", "1.0", "--machine", MACHINE, "--bench", "^bench_counters", base, head
        )
    after, before = results_of(RESULTS, head), results_of(RESULTS, base)
    print(need_every_cell(after))
    lacking = absent(before)
    if len(lacking) == expected():
        raise NothingToCompare(f"nothing can be counted at {base[:8]}; what asv said is in {SCRATCH / 'log.txt'}")
    if lacking:
        print(f"{len(lacking):,} of them are not to be had at {base[:8]}, as in: {lacking[0]}")
    if code not in (0, 1):
        raise HistoryError(f"asv failed; all it said is in {SCRATCH / 'log.txt'}")
    worse = say(before, after)
    if code != bool(worse):
        raise HistoryError(f"asv and cowbench disagree about {base[:8]}; all asv said is in {SCRATCH / 'log.txt'}")
    return code


def say(before: Results, after: Results) -> int:
    """Print a sentence for each cell that moved, those that got worse first; return how many did."""
    family = statistics.compare_stores(
        rows(before), rows(after), list(cells.METRICS), names=(before.commit[:8], after.commit[:8])
    )
    moved = [one for one in family.comparisons if one.moved]
    worse, better = ([one for one in moved if one.verdict == word] for word in ("worse", "better"))
    lines = [statistics.sentence(one, family) for one in worse + better]
    (RESULTS / "moved.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    for line in lines[:_SHOWN]:
        print(line)
    if len(lines) > _SHOWN:
        print(f"... and {len(lines) - _SHOWN:,} more in {RESULTS / 'moved.txt'}")
    equal = len(family.comparisons) - len(moved)
    print(f"{len(worse):,} cells worse, {len(better):,} better, {equal:,} equal or without a counterpart")
    return len(worse)


def rows(results: Results) -> pd.DataFrame:
    """Return counters as rows of exact trials, one a cell, so that they can be compared like those of stores."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for benchmark, metric, _ in benchmarks():
        for key, value in results.cells.get(benchmark, {}).items():
            found.setdefault(key, {})[metric] = float("nan") if value is None else value
    frame = pd.DataFrame(
        [{"policy": policy, "workload": workload, **cell} for (policy, workload), cell in found.items()]
    )
    counted = ~frame["copies"].map(is_absent)
    return frame.assign(seed=0, sampling="exact", status=counted.map({True: "ok", False: "failed"}))


def announced(base: str) -> bool:
    """Return whether the commits since `base` announce that counters move, and repeat what they say."""
    trailers = git.ask("log", "--format=%(trailers:key=Counters-move,valueonly)", f"{base}..HEAD") or ""
    reasons = list(filter(None, trailers.splitlines()))
    for reason in reasons:
        print(f"announced: {reason}")
    return bool(reasons)


if __name__ == "__main__":
    sys.exit(main())
