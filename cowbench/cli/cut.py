"""Says of recordings that were cut short that they were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.spec import PluginSpec


def warn(workloads: Iterable[PluginSpec]) -> None:
    """Print a line on standard error for each recording that was cut short; what else is wrong, its trial will say."""
    from cowbench.errors import CowbenchError
    from cowbench.recording import cut_short
    from cowbench.replay import Replay

    for load in (workload.build() for workload in dict.fromkeys(workloads)):
        try:
            cut = cut_short(load.program()) if isinstance(load, Replay) else None
        except CowbenchError:
            continue
        if cut is not None:
            click.echo(f"cowbench: {load.program()}: {cut.words}; all up to there is replayed", err=True)
