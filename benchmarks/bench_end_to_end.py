"""What a user waits for: a cell, a report, the command line."""

from __future__ import annotations

from cowbench import costs, spec, trial

STORE = "cells.db"


class Cell:
    """Time of one trial, from specs to the finished row."""

    params = (("has_pinned", "anon_exclusive"), ("zygote", "swap_pressure"))
    param_names = ("policy", "workload")
    version = "1"

    def setup(self, policy: str, workload: str) -> None:
        """Load the plug-ins: a run does it once, not for each cell."""
        self.cell = spec.parse("policy", policy), spec.parse("workload", workload), 0, costs.read_profile()

    def time_cell(self, policy: str, workload: str) -> None:
        """Run the trial."""
        trial.run_trial(*self.cell)


class Report:
    """Time from a store of a small grid to the finished page."""

    version = "1"
    timeout = 120

    def setup_cache(self) -> None:
        """Fill a store in asv's folder for this suite, which is the current one whenever its benchmarks run."""
        _command("run", "-w", "all_pinned,short_pin,stream", "--seeds", "4", "--jobs", "1", "--store", STORE, "-q")

    def time_report(self) -> None:
        """Write the page."""
        _command("report", "--store", STORE, "--output", "page")


class CommandLine:
    """Time from nothing to a command line that could run."""

    version = "1"

    def timeraw_import(self) -> str:
        """Return the program that a new interpreter runs."""
        return "import cowbench.cli"


def _command(*words: str) -> None:
    from cowbench.cli import cli

    cli.main(words, standalone_mode=False)
