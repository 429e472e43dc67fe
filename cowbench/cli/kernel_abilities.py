"""`cowbench kernel abilities`: what a kernel can carry out."""

from __future__ import annotations

import click


@click.command("abilities")
@click.option("--kernel", required=True, metavar="KERNEL", help="host, the path of a bzImage, or a name: debian:6.1.")
def command(kernel: str) -> None:
    """Print which operations a kernel can carry out, as their effects showed, and why not where it cannot."""
    from contextlib import closing

    from cowbench.linux.opening import open_kernel

    with closing(open_kernel(kernel)) as opened:
        click.echo(f"{kernel}: Linux {opened.release}")
        if not opened.frames:
            click.echo("frame numbers cannot be read without root: only what is read is compared")
        for ability, reason in opened.abilities().items():
            click.echo(f"{ability:12}  {f'not applicable: {reason}' if reason else 'yes'}")
