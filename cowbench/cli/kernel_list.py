"""`cowbench kernel list`: the kernels that are cached."""

from __future__ import annotations

import click


@click.command("list")
def command() -> None:
    """List the cached kernels: name, package, image."""
    from cowbench.linux import packages

    images = packages.cached()
    if not images:
        click.echo("no kernel is cached; cowbench kernel get debian:6.1 fetches one")
    for image in images:
        click.echo(f"{image.name:16}  {image.package} {image.package_version}  {image.path}")
