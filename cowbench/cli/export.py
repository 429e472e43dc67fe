"""`cowbench export`: the result table for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from cowbench.cli import options
from cowbench.errors import ParameterError


@click.command("export")
@options.store
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, allow_dash=True), help="Write CSV; - is the terminal."
)
@click.option("--parquet", "parquet_file", type=click.Path(dir_okay=False, path_type=Path), help="Write Parquet.")
@click.option(
    "--asv", "asv_folder", type=click.Path(file_okay=False, path_type=Path), help="Add to this folder of asv results."
)
@click.option(
    "--commit", metavar="REVISION", help="Commit that asv results belong to; else the one cowbench was run at."
)
def command(
    store: Path, csv_file: str | None, parquet_file: Path | None, asv_folder: Path | None, commit: str | None
) -> None:
    """Export the result table, one row a trial, to CSV or Parquet; or its costs, as means over seeds, to asv."""
    from cowbench import export
    from cowbench.store import Store

    if csv_file is None and parquet_file is None and asv_folder is None:
        raise ParameterError("nothing to export to; give --csv FILE, --parquet FILE or --asv FOLDER")
    with Store(store, read_only=True) as results:
        rows, runs = results.rows(), results.runs()
    if csv_file is not None:
        with click.open_file(csv_file, "w", encoding="utf-8") as stream:
            export.write_csv(rows, stream)
    if parquet_file is not None:
        export.write_parquet(rows, parquet_file)
    if asv_folder is not None:
        from cowbench.history.export import export as export_asv

        click.echo(f"{export_asv(rows, runs, asv_folder, commit)} written")
