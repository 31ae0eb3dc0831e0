"""The command that compares laws: ``compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surge_fit.cli.app import app, examples, show, tell, terminal
from surge_fit.cli.options import (
    BatchUnitOption,
    ColumnOption,
    GroupByOption,
    GroupOption,
    JsonOption,
    LawsOption,
    ProtocolOption,
    SeedOption,
    SweepArgument,
    columns_of,
    plot_file,
    read,
)


@app.command(
    epilog=examples(
        "surge-fit compare sweep.csv --batch-unit examples --plot laws.png",
        "surge-fit compare sweep.csv --batch-unit examples --law sgd --law surge --law broken_power",
    )
)
def compare(
    sweep: SweepArgument,
    law: LawsOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(callback=plot_file, metavar="FILE", help="Save the figure as .png, .svg or .pdf."),
    ] = None,
    batch_unit: BatchUnitOption = None,
    column: ColumnOption = None,
    protocol: ProtocolOption = None,
    group_by: GroupByOption = None,
    group: GroupOption = None,
    seed: SeedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare laws by how they predict batch sizes left out.

    Fits every law once without each batch size, scores how it predicts the runs there, and tells which law
    is best, which tie with it and which lose. Needs three batch sizes or more, and patience: laws times
    batch sizes fits.
    """
    held = read(sweep, columns_of(column), batch_unit, protocol, group_by, group)
    from surge_fit.decisions.comparison import compare as compare_laws
    from surge_fit.report import comparison_to_json, comparison_to_text
    from surge_fit.report.progress import progress_bar

    with progress_bar() as progress:
        found = compare_laws(held, laws=law or None, random_seed=seed or 0, progress=progress)
    show(comparison_to_json(found)) if as_json else tell(comparison_to_text(found, **terminal()))
    if plot is not None:
        from surge_fit.plots import save_comparison

        save_comparison(found, plot)
