"""`cowbench check`: does a plug-in keep its contract?"""

from __future__ import annotations

import click


@click.command("check")
@click.argument("file", metavar="FILE")
def command(file: str) -> None:
    """Hold a plug-in to its contract; FILE is a path, or the name of one that is known.

    Policies are asked about made-up pages and run random programs; workloads are run, and their operations compared;
    sections of the report draw made-up results.
    Exit code 2 if a promise is broken.
    """
    from cowbench import plugins, spec
    from cowbench.check import check

    broken = 0
    parsed = spec.parse(plugins.kind_of(file.partition(":")[0]), file)
    for finding in check(parsed):
        mark = "ok  " if finding.problem is None else "FAIL"
        click.echo(f"{mark}  {finding.promise}" + (f": {finding.problem}" if finding.problem else ""))
        broken += finding.problem is not None
    if broken:
        click.echo(f"cowbench: {parsed.kind} {parsed.file}: {broken} of its promises broken", err=True)
        raise click.exceptions.Exit(2)
    click.echo(f"{parsed.kind} {parsed.name} keeps its contract")
