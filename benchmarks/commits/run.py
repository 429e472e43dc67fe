"""Measure the current commit with asv, and publish the whole history as a page that needs no network.

usage: python -m benchmarks.commits.run
"""

from __future__ import annotations

import sys

from benchmarks.commits import git
from benchmarks.commits.asv import HISTORY, asv, need_asv
from benchmarks.commits.count import need_every_cell, results_of
from benchmarks.commits.page import PAGE, publish
from cowbench.errors import CowbenchError
from cowbench.history.files import MACHINE


def main() -> int:
    """Run and publish; return 2 after a mistake that the user can mend."""
    try:
        need_asv()
        git.need_history()
        git.need_clean()
        with asv(HISTORY) as runner:
            new = ("--skip-existing-successful", "HEAD^!")
            runner.need("run", "--machine", MACHINE, "--bench", "^bench_counters", *new)
            runner.need("run", "--bench", "^bench_(model|end_to_end)", *new)
            print(need_every_cell(results_of(HISTORY, git.commit_of("HEAD"))))
            print(f"{publish(runner)} exact counters are worse than they once were")
    except CowbenchError as error:
        print(f"asv: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("asv: interrupted; run again, finished commits are kept", file=sys.stderr)
        return 130
    print(f"page in {PAGE}; look at it with: python3 -m http.server --directory {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
