"""The experiments of a study that want a real kernel, on one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from cowbench.errors import KernelError
from cowbench.linux import opening, running
from cowbench.linux.connection import Kernel
from cowbench.store import Store
from cowbench.study.definition import Study
from cowbench.study.run import measured


@dataclass(frozen=True)
class Measurement:
    """A kernel and what it has to carry out for a study: one seed of each workload, as times are what is looked at."""

    study: str
    kernel: Kernel
    cells: Sequence[running.Cell]

    def run(self, store: Store, **options: Any) -> None:
        """Run the cells that the store lacks; options are those of cowbench.linux.running.run. Raises KernelError."""
        running.run(self.kernel, self.cells, store, study=self.study, **options)


@contextmanager
def opened(text: str, study: Study) -> Iterator[Measurement]:
    """Open the kernel that `text` means. Raises KernelError, before anything has run, if it cannot tell enough."""
    with closing(opening.open_kernel(text)) as kernel:
        if not kernel.frames:
            raise KernelError(f"{text}: only root may see which frames a process maps; run as root")
        cells = running.grid(kernel.release, opening.build_of(text), measured(study), 1)
        yield Measurement(study.name, kernel, cells)
