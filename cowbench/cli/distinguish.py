"""`cowbench distinguish`: what is the difference between two rules?"""

from __future__ import annotations

import click


@click.command("distinguish")
@click.argument("first", metavar="POLICY")
@click.argument("second", metavar="POLICY")
@click.option("--abilities", metavar="NAMES", help="Only what a machine with these can stage; commas between.")
@click.option("--budget", type=click.IntRange(1), default=16_000, show_default=True, help="Most programs to try.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the random part of the search.")
@click.option("--output", "-o", type=click.Path(dir_okay=False), help="Write the program here, as a program file.")
def command(first: str, second: str, abilities: str | None, budget: int, seed: int, output: str | None) -> None:
    """Show a shortest program on which two policies differ in what programs and page tables show.

    POLICY is a name or the path of a file, with parameters as for `cowbench run`. Exit code 1 if none was found.
    """
    from pathlib import Path

    from cowbench import spec
    from cowbench.abilities import ABILITIES, checked
    from cowbench.distinguish import SMALL, distinguish
    from cowbench.program_file import write_program
    from cowbench.words import say_program

    parsed = [spec.parse("policy", text) for text in (first, second)]
    names = parsed[0].text, parsed[1].text
    wanted = ABILITIES if abilities is None else checked(name.strip() for name in abilities.split(","))
    search = distinguish(parsed[0].build(), parsed[1].build(), wanted, budget=budget, names=names, seed=seed)
    if search.found is None:
        click.echo(f"no difference found in {search.tried:,} programs; {search.proof()}")
        raise click.exceptions.Exit(1)
    for line in say_program(search.found.program):
        click.echo(line)
    difference = search.found.difference
    click.echo(f"{difference.where}")
    for name, outcome in zip(names, difference.outcomes, strict=True):
        click.echo(f"  {name}: {outcome}")
    click.echo(f"{search.tried:,} programs tried; {search.proof()}")
    if output is not None:
        write_program(Path(output), SMALL, search.found.program)
