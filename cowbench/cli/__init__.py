"""The command line. Commands import what they need when they run, so that --help is quick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from cowbench import __version__
from cowbench.errors import CowbenchError

INTERRUPTED = 130


class Group(click.Group):
    """A click group whose errors are one line with exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; turn what users can mend into one line."""
        try:
            return super().invoke(ctx)
        except CowbenchError as error:
            click.echo(f"cowbench: {' '.join(str(error).split())}", err=True)
            raise click.exceptions.Exit(2) from None
        except KeyboardInterrupt:
            click.echo("cowbench: interrupted", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--plugins",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with policies/, workloads/ and reports/ of your own (also COWBENCH_PLUGINS).",
)
@click.version_option(__version__)
def cli(plugins: Path | None) -> None:
    r"""Compare copy-on-write policies of the Linux kernel on a model of pages.

    Which policy copies least, which copies needlessly, which makes fork slow, and which loses or leaks data?

    \b
      cowbench run                          every policy on every workload
      cowbench show --metric copies         the table in the terminal
      cowbench report --output report       the page report/index.html
      cowbench compare before.db after.db   what got better or worse between two stores
      cowbench trace view --help            one trial, operation by operation
      cowbench new policy my_rule           a policy of your own
      cowbench check my_rule.py             does it keep its contract?
      cowbench run --policy my_rule.py
      cowbench distinguish my_rule.py has_pinned
    """
    if plugins is not None:
        # Worker processes inherit it; a spec names its file anyway.
        os.environ["COWBENCH_PLUGINS"] = str(plugins.resolve())


def _add_commands() -> None:
    from cowbench.cli import (
        check,
        compare,
        distinguish,
        export,
        fit,
        history,
        kernel,
        listing,
        new,
        record,
        report,
        run,
        show,
        study,
        trace,
    )

    seen = (run, listing, show, compare, study, trace, distinguish)
    for module in (*seen, check, new, report, export, history, record, fit, kernel):
        cli.add_command(module.command)


_add_commands()


def main() -> None:
    """Run the command line."""
    cli(prog_name="cowbench")
