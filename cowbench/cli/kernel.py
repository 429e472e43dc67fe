"""`cowbench kernel`: what has to do with real kernels. Each subcommand has a file kernel_<name>.py."""

from __future__ import annotations

import click


@click.group("kernel")
def command() -> None:
    """Real kernels: this host's, a distribution's, or any x86-64 bzImage in QEMU."""


def _add_commands() -> None:
    from cowbench.cli import (
        kernel_abilities,
        kernel_calibrate,
        kernel_check,
        kernel_get,
        kernel_identify,
        kernel_list,
        kernel_programs,
    )

    finding = (kernel_get, kernel_list)
    for module in (kernel_abilities, kernel_calibrate, kernel_check, kernel_identify, kernel_programs, *finding):
        command.add_command(module.command)


_add_commands()
