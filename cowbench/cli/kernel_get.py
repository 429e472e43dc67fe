"""`cowbench kernel get`: fetch a distribution's kernel."""

from __future__ import annotations

import click


@click.command("get")
@click.argument("name")
def command(name: str) -> None:
    """Fetch the newest kernel NAME, such as debian:6.1, and keep its image in the cache.

    Uses apt with the host's own mirror on a state of its own; nothing is installed. Works without root.
    """
    from cowbench.linux import packages

    image = packages.get(name, lambda words: click.echo(words, err=True))
    click.echo(f"{image.name}  {image.path}")
