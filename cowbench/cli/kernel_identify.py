"""`cowbench kernel identify`: which rules does a kernel follow?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cowbench.conformance import Judged
    from cowbench.linux.identify import Answer, Evidence


@click.command("identify")
@click.option("--kernel", required=True, metavar="KERNEL", help="host, the path of a bzImage, or a name: debian:6.1.")
@click.option("--budget", type=click.IntRange(1), default=3000, show_default=True, help="Programs tried a search.")
def command(kernel: str, budget: int) -> None:
    """Print which rules a kernel follows, each with the programs that say so, and how it does on the cases of cow.c.

    The programs are searched for on the model, and kept in the cache for the next time.
    """
    from contextlib import closing

    from cowbench.conformance import judge_all
    from cowbench.linux.draw import CONFIG
    from cowbench.linux.identify import Asked, identify
    from cowbench.linux.opening import open_kernel

    with closing(open_kernel(kernel)) as opened:
        click.echo(f"{kernel}: Linux {opened.release}")
        answer = identify(Asked(opened, budget), report=lambda words: click.echo(f"asking: {words}", err=True))
        judged = judge_all(opened.observe, CONFIG)
    _whole(answer)
    _rules(answer)
    _matrix(judged)


def _whole(answer: Answer) -> None:
    word = "agrees with" if answer.agrees else "agrees with no built-in policy; nearest is"
    first, *others = answer.policies
    click.echo(f"\n{word} {first}")
    if others:
        click.echo(f"  no program that was found tells it from {', '.join(others)}")
    for one in answer.evidence:
        _evidence(one)


def _evidence(one: Evidence) -> None:
    from cowbench.words import say

    program = "; ".join(say(operation) for operation in one.program[1:])
    click.echo(f"  not {one.ruled_out}: {program}")
    click.echo(f"    {one.difference.subject}: {one.ruled_out} {one.difference.outcomes[0]}, "
               f"kernel {one.difference.outcomes[1]}")  # fmt: skip


def _rules(answer: Answer) -> None:
    from cowbench.linux.identify import words_of
    from cowbench.linux.mixed import RULES

    for rule in RULES:
        words = "; or ".join(words_of(rule, answer)) or "as that policy"
        click.echo(f"\n{rule} rule, nearest {answer.rules[rule]}: {words}")
        for one in answer.rule_evidence[rule]:
            _evidence(one)
        if answer.open[rule]:
            click.echo(f"  not told apart from {', '.join(answer.open[rule])} by what this kernel can stage")


def _matrix(judged: list[Judged]) -> None:
    click.echo("\ncases of tools/testing/selftests/mm/cow.c")
    for base, swapped in zip(judged[::2], judged[1::2], strict=True):
        click.echo(f"{base.case.number:3}  {base.case.name:52}  {base.verdict:15} swapped out: {swapped.verdict}")
    reasons = dict.fromkeys(one.reason for one in judged if one.reason)
    for reason in reasons:
        click.echo(f"not applicable: {reason}")
