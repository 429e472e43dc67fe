"""What `cowbench new` writes: a plug-in that passes `cowbench check` and says what to change."""

from __future__ import annotations

import keyword
from pathlib import Path

from cowbench import plugins
from cowbench.errors import ParameterError, PluginError

POLICY = '''"""{name}: one line that says what it is, and where the rule comes from."""

from cowbench.policy import Policy, parameter
from cowbench.views import Mask, WriteFault


class {cls}(Policy):
    kernels = "none: a proposal"

    # A parameter is a typed attribute; `{name}:limit=2` sets it.
    limit: int = parameter(1, low=1, high=1023, unit="references", help="a page with more is copied")

    def reuse(self, fault: WriteFault) -> Mask:
        # One entry a page: True reuses the page, False copies it. See cowbench/views.py for what a fault shows, and
        # cowbench/rules.py for the rules of past kernels.
        return (fault.refcount <= self.limit) & (fault.mapcount == 1)

    # Override also: flags() for the kernel around the rule, swap_in(), early_scan() and copy_early() for fork,
    # unshare(), on_pin() and on_unpin() for pins. See cowbench/policy.py.
'''

WORKLOAD = '''"""{name}: one line that says what real load it stands for, and its source."""

from numpy.random import Generator

from cowbench.machine import Machine
from cowbench.workload import Workload, parameter


class {cls}(Workload):
    # Say `exact = True` if run() draws nothing from rng; one seed is enough then.

    # A parameter is a typed attribute; `{name}:pages=4096` sets it.
    pages: int = parameter(1024, low=1, high=1 << 24, unit="pages", scale="1/1024 of 4 GiB", source="assumed")
    written: float = parameter(0.2, low=0.0, high=1.0, help="share of pages that the parent writes after fork")

    def run(self, machine: Machine, rng: Generator) -> None:
        # All that may be done to memory is in cowbench/machine.py. Pages are a range, or an array of numbers.
        parent = machine.spawn()
        machine.write(parent, range(self.pages))
        child = machine.fork(parent)
        machine.write(parent, rng.integers(0, self.pages, int(self.pages * self.written)))
        machine.read(child, range(self.pages))
        machine.exit(child)
'''


SECTION = '''"""{name}: one line that says what question this section answers."""

from collections.abc import Iterator

from cowbench.report import tables
from cowbench.report.model import Block, Paragraph
from cowbench.report.results import Results
from cowbench.report.section import Section


class {cls}(Section):
    title = "Page faults that were answered in place"
    # Built-in sections stand at 10, 20, ... 110.
    order = 45

    def build(self, results: Results) -> Iterator[Block]:
        # Yield parts: sentences, lists, tables and figures, all in cowbench/report/model.py. Text is plain; page and
        # PDF escape it. reports/ has examples, with figures too.
        if not results.rows:
            yield Paragraph("No trials yet.")
            return
        yield Paragraph("More is better where nobody else sees the page, and a leak where somebody does.")
        table = results.table("reuses")
        yield tables.matrix("reuses", "Reuses (means over seeds)", table, results.policies, results.workloads)
'''


def write(kind: plugins.Kind, name: str, directory: Path) -> Path:
    """Write a template as DIRECTORY/NAME.py and return its path. Raises a CowbenchError; never overwrites."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise ParameterError(f"'{name}' cannot name a {kind}: use letters, digits and underscores")
    if name in plugins.available(kind):
        raise ParameterError(f"there is a {kind} '{name}' already; choose another name")
    file = directory / f"{name}.py"
    cls = "".join(part.capitalize() for part in name.split("_"))
    template = {"policy": POLICY, "workload": WORKLOAD, "section": SECTION}[kind]
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(template.format(name=name, cls=cls))
    except FileExistsError:
        raise PluginError(f"{file} exists and is not overwritten; choose another name") from None
    except OSError as error:
        raise PluginError(f"{file}: cannot be written ({error.strerror}); choose another folder") from None
    return file
