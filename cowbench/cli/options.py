"""Options that several commands share."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.execute import Workers

store = click.option(
    "--store",
    type=click.Path(path_type=Path),
    default=Path("cowbench.db"),
    show_default=True,
    help="File of results.",
)

executor = click.option(
    "--executor",
    metavar="WHERE",
    help="Run on a Dask cluster, dask://HOST:PORT, or on one of processes here, dask:local.",
)


def workers(executor: str | None, jobs: int | None) -> AbstractContextManager[Workers]:
    """Give what --executor and --jobs ask for. Raises CowbenchError."""
    from cowbench.errors import ParameterError
    from cowbench.execute import Processes

    here = jobs or os.cpu_count() or 1
    if executor is None:
        return nullcontext(Processes(here))
    from cowbench import cluster

    if jobs is not None and executor.startswith("dask://"):
        raise ParameterError("--jobs says nothing to a cluster, whose workers are what they are; leave it out")
    return cluster.opened(executor, here)
