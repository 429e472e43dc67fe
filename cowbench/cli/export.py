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
def command(store: Path, csv_file: str | None, parquet_file: Path | None) -> None:
    """Export the result table, one row a trial, to CSV or Parquet."""
    from cowbench import export
    from cowbench.store import Store

    if csv_file is None and parquet_file is None:
        raise ParameterError("nothing to export to; give --csv FILE or --parquet FILE")
    with Store(store, read_only=True) as results:
        rows = results.rows()
    if csv_file is not None:
        with click.open_file(csv_file, "w", encoding="utf-8") as stream:
            export.write_csv(rows, stream)
    if parquet_file is not None:
        export.write_parquet(rows, parquet_file)
