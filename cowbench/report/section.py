"""What a section of the report is. A file in reports/ holds one subclass of Section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from cowbench.parameters import Parametrised
from cowbench.report.model import Block
from cowbench.report.results import Results


class Section(Parametrised):
    """Base of every section. title: its heading. order: where it stands; built-in ones are at 10, 20, ..."""

    title: ClassVar[str] = ""
    order: ClassVar[int] = 1000

    def build(self, results: Results) -> Iterable[Block]:
        """Return or yield the section's parts (see cowbench.report.model); none leaves the section out."""
        raise NotImplementedError(f"section {self.name} has no build()")
