"""`cowbench study`: ask questions of the model and check the answers."""

from __future__ import annotations

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cowbench.cli import options

if TYPE_CHECKING:
    from cowbench.study.definition import Study
    from cowbench.study.evaluate import Answer
    from cowbench.study.measure import Measurement

BROKEN = 1
"""Exit code when a claim does not hold."""


@click.command("study")
@click.argument("study")
@options.store
@click.option("--jobs", "-j", type=click.IntRange(1), help="Processes; as many as there are CPUs if left out.")
@options.executor
@click.option("--profile", type=click.Path(path_type=Path), help="File of costs behind modelled times.")
@click.option("--kernel", "-k", metavar="KERNEL", help="Measure on this kernel, too, where a study asks for it.")
@click.option("--retry-failed", is_flag=True, help="Run cells again that failed before.")
@click.option("--save-rules", "rules", type=click.Path(path_type=Path), help="Folder for the rules that are found.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but broken claims and errors.")
def command(
    study: str,
    store: Path,
    jobs: int | None,
    executor: str | None,
    profile: Path | None,
    kernel: str | None,
    retry_failed: bool,
    rules: Path | None,
    quiet: bool,
) -> None:
    """Run the experiments of a STUDY and answer its questions.

    STUDY is a built-in one, such as seed-thread, or the path of a .toml file (docs/studies.md). What the store
    holds already is not run again; `cowbench report` shows the study as a chapter. Exit code 1 if a claim does not
    hold, 2 if a cell failed.

    With --kernel (host, a cached kernel or a bzImage; as root) figures have its measured times beside the modelled
    ones, where the study wants them.
    """
    from cowbench import costs, sweep
    from cowbench.cli.progress import Reporter
    from cowbench.store import Store
    from cowbench.study import evaluate, run, searching

    asked = run.find(study)
    prices = costs.read_profile(profile) if profile else costs.read_profile()
    cells = run.cells(asked, prices)
    words = shlex.join(["cowbench", *sys.argv[1:]])
    with ExitStack() as stack:
        workers = stack.enter_context(options.workers(executor, jobs))
        on_kernel = _kernel(stack, kernel, asked)
        results = stack.enter_context(Store(store))
        with Reporter(quiet) as reporter:
            try:
                sweep.sweep(
                    cells,
                    results,
                    prices,
                    workers=workers,
                    retry_failed=retry_failed,
                    study=(asked.name, asked.text),
                    command=words,
                    report=reporter.update,
                )
                for one in on_kernel:
                    one.run(results, retry_failed=retry_failed, command=words, report=reporter.update)
                searching.complete(asked, results, lambda words: reporter.say(f"searching: {words}"))
            except KeyboardInterrupt:
                click.echo(f"cowbench: interrupted; finished cells are in {store}, run again to go on", err=True)
                raise click.exceptions.Exit(130) from None
        every: list[sweep.Known] = [*cells, *(cell for one in on_kernel for cell in one.cells)]
        failures = sweep.failures(results, every, asked.name)
        searched = searching.kept(results)
        answers = evaluate.answers(asked, results.rows(asked.name), searched)
    if rules is not None:
        searching.save(searched, rules)
    for answer in answers:
        _show(answer, quiet)
    for line in failures:
        click.echo(f"cowbench: failed: {line}", err=True)
    if failures:
        raise click.exceptions.Exit(2)
    if not all(answer.stands for answer in answers):
        raise click.exceptions.Exit(BROKEN)


def _kernel(stack: ExitStack, kernel: str | None, asked: Study) -> list[Measurement]:
    if kernel is None:
        return []
    from cowbench.study import measure

    return [stack.enter_context(measure.opened(kernel, asked))]


def _show(answer: Answer, quiet: bool) -> None:
    if not quiet:
        click.echo(f"{answer.question.asks}\n  {answer.sentence}\n  Limits: {answer.question.limits}")
        if answer.unmeasured:
            click.echo("  No real kernel was measured; --kernel host does so, as root.")
    for verdict in answer.verdicts:
        if verdict.holds and not quiet:
            click.echo(f"  holds: {verdict.claim.says}")
        elif not verdict.holds:
            why = verdict.error or verdict.claim.holds
            click.echo(f"cowbench: does not hold: {answer.question.name}: {verdict.claim.says} [{why}]", err=True)
