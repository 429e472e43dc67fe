"""The recorded side of python_pool: workers that only read a list of objects, and so write its reference counts.

usage: pool.py OBJECTS WORKERS ROUNDS    prints how many seconds the rounds took
"""

import multiprocessing
import sys
import time

shared: list[float] = []


def total(part: tuple[int, int, int]) -> float:
    """Sum every `step`-th object: each one looked at has its reference count written."""
    first, last, step = part
    return sum(shared[i] for i in range(first, last, step))


def main(objects: int, workers: int, rounds: int) -> None:
    """Load the list, then let a fresh pool of workers read each second object of its own part, round by round."""
    shared.extend(i / 7 for i in range(objects))
    share = objects // workers
    parts = [(n * share, (n + 1) * share, 2) for n in range(workers)]
    begun = time.monotonic()
    for _ in range(rounds):
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            pool.map(total, parts, chunksize=1)
            pool.close()
            pool.join()
    print("took", time.monotonic() - begun, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
