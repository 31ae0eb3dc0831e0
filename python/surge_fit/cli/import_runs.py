"""The command ``import``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from surge_fit.cli.output import examples
from surge_fit.cli.parameters import output_file
from surge_fit.cli.sweep_options import SweepOptions, sweep_options

TABLES = (".csv", ".parquet")


@click.command(
    "import",
    epilog=examples(
        "surge-fit import wandb:entity/project --batch-unit sequences --metric val/loss -o sweep.csv",
        "surge-fit import sqlite:///study.db --batch-unit examples --where study=lr -o sweep.csv",
        "surge-fit import runs/ --batch-unit tokens --where optimizer=adamw",
    ),
)
@click.argument(
    "source",
    metavar="SOURCE",
    help="Folder of runs, database, journal, wandb:entity/project[/sweep], http://server of MLflow, "
    "or a table.",
)
@click.option("--metric", metavar="NAME", help="Metric that is the loss, as the source calls it.")
@click.option(
    "--output",
    "-o",
    type=output_file("The table", *TABLES),
    metavar="FILE",
    help="Save the table as .csv or .parquet; without it, CSV goes to stdout.",
)
@sweep_options
def import_runs(source: str, metric: str | None, output: Path | None, sweep_options: SweepOptions) -> None:
    """Turn the runs of a tracker into one table.

    Writes the table that every other command reads, one row per run, under canonical names, and shows on
    stderr what was taken for what.
    """
    if metric is not None:
        sweep_options = replace(sweep_options, column=(*sweep_options.column, ("loss", metric)))
    from surge_fit.report.progress import progress_bar

    with progress_bar() as progress:
        sweep = replace(sweep_options, verbose=True).read(source, progress=progress)
    click.echo(f"Read: {sweep!r}", err=True)
    if output is None:
        click.echo(sweep.to_frame().write_csv(), nl=False)
        return
    from surge_fit.sweep.storage import write_table

    write_table(sweep, output)
    click.echo(f"Saved {output}.", err=True)
