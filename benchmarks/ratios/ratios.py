"""How fast the page model is: every target of speed and memory beside what this machine measures, in one run.

usage: python benchmarks/ratios/ratios.py [--quick] [--only N,N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.ratios import apart, mixed, operations
from benchmarks.ratios.native import Compiler
from benchmarks.ratios.setting import FULL, QUICK, Outcome, Setting
from benchmarks.ratios.targets import TARGETS, header, row

GROUPS: list[tuple[set[int], Callable[[Setting], Outcome]]] = [
    ({1, 2, 3}, operations.against_kernel),
    ({4, 5}, operations.dense),
    ({6, 7, 8, 9}, operations.against_c),
    ({10, 12, 13}, mixed.middle),
    ({11}, mixed.large),
    ({14}, apart.huge),
    ({15}, apart.memory),
    ({16}, operations.small),
    ({17}, apart.parallel),
]


def main() -> int:
    """Measure and print; return 1 if the C machine and the model disagree about a count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes: does it run, not how fast")
    parser.add_argument("--only", type=_numbers, default=set(TARGETS), help="numbers of targets, as in 1,10")
    arguments = parser.parse_args()
    setting = Setting(QUICK if arguments.quick else FULL, Compiler(), frozenset(arguments.only))
    outcome = Outcome()
    for numbers, group in GROUPS:
        if numbers & arguments.only:
            start = perf_counter()
            outcome.add(group(setting))
            _say(f"targets {', '.join(map(str, sorted(numbers)))}: {perf_counter() - start:.0f} s")
    rows = [row(number, setting.sizes, outcome.readings[number]) for number in sorted(arguments.only)]
    print("\n".join([header(setting.sizes), *rows, "", *outcome.notes]))
    return 1 if outcome.disagreements else 0


def _say(line: str) -> None:
    """Tell how far it is, beside the table."""
    print(line, file=sys.stderr, flush=True)


def _numbers(text: str) -> set[int]:
    numbers = {int(word) for word in text.split(",")}
    if not numbers <= set(TARGETS):
        raise argparse.ArgumentTypeError(f"targets are 1 to {max(TARGETS)}")
    return numbers


if __name__ == "__main__":
    sys.exit(main())
