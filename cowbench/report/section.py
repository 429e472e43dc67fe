"""What a section of the report is. A file in reports/ holds one subclass of Section."""

from __future__ import annotations

from typing import ClassVar

from markupsafe import Markup

from cowbench.parameters import Parametrised
from cowbench.report.results import Results


class Section(Parametrised):
    """Base of every section. title: its heading. order: where it stands; built-in ones are at 10, 20, ..."""

    title: ClassVar[str] = ""
    order: ClassVar[int] = 100

    def render(self, results: Results) -> Markup:
        """Return the section's HTML; cowbench.report.html has what is needed, all of it escaped."""
        raise NotImplementedError(f"section {self.name} has no render()")
