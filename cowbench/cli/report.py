"""`cowbench report`: the result as a page and a PDF."""

from __future__ import annotations

from pathlib import Path

import click

from cowbench.cli import options


@click.command("report")
@options.store
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Folder to write index.html and report.pdf to.",
)
@click.option("--baseline", metavar="POLICY", help="Compare the others with this policy, as results name it.")
@click.option("--against", type=click.Path(path_type=Path), help="Say what changed since this store, too.")
@click.option("--trace", metavar="POLICY,WORKLOAD,SEED", help="The trial to follow operation by operation.")
@click.option(
    "--section", "sections", multiple=True, type=click.Path(path_type=Path), help="File with a section of your own."
)
@click.option(
    "--history",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw this folder of asv results, too, as in benchmarks/history.",
)
@click.option("--no-pdf", is_flag=True, help="Write the page only.")
def command(
    store: Path,
    output: Path,
    baseline: str | None,
    against: Path | None,
    trace: str | None,
    sections: tuple[Path, ...],
    history: Path | None,
    no_pdf: bool,
) -> None:
    """Write OUTPUT/index.html, one page that needs no network, and OUTPUT/report.pdf with the same content."""
    from cowbench import report

    for file in report.write(
        store,
        output,
        sections=sections,
        baseline=baseline,
        against=against,
        trace=trace,
        pdf=not no_pdf,
        history=history,
    ):
        click.echo(f"report written to {file.resolve()}")
