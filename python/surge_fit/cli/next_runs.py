"""The command ``next``."""

from __future__ import annotations

from pathlib import Path

import click

from surge_fit.cli.fit_options import FitOptions, fit_options
from surge_fit.cli.fits import (
    at_option,
    exit_unless_trustworthy,
    fit_or_load,
    output_option,
    sweep_or_posterior_argument,
)
from surge_fit.cli.output import examples, show, write
from surge_fit.cli.parameters import BATCH_SIZES, POSITIVE, joined, json_option
from surge_fit.cli.sweep_options import SweepOptions, sweep_options


@click.command(
    "next",
    epilog=examples(
        "surge-fit next posterior.nc --batch-size 4096",
        "surge-fit next posterior.nc -b 4096 --cost tokens --worth 1e12 --csv > runs.csv",
        "surge-fit next sweep.csv --batch-unit examples -b 1024,4096 --count 6",
    ),
)
@sweep_or_posterior_argument
@click.option(
    "--batch-size",
    "-b",
    type=BATCH_SIZES,
    multiple=True,
    required=True,
    callback=joined,
    metavar="B,B,…",
    help="Batch sizes you need a learning rate for; repeatable.",
)
@click.option(
    "--count", type=click.IntRange(min=1), default=4, metavar="N", help="Number of runs to choose at most."
)
@click.option(
    "--cost",
    metavar="COLUMN",
    help="Column with the cost of a run, such as tokens or steps. [default: every run costs 1]",
)
@click.option(
    "--worth",
    type=POSITIVE,
    metavar="X",
    help="Cost worth paying to lower the loss by one nat; decides when to stop.",
)
@sweep_options
@at_option
@fit_options
@output_option
@click.option("--csv", "as_csv", is_flag=True, help="Print the runs as CSV.")
@json_option
def next_runs(
    path: str,
    batch_size: tuple[float, ...],
    count: int,
    cost: str | None,
    worth: float | None,
    sweep_options: SweepOptions,
    at: str | None,
    fit_options: FitOptions,
    output: Path | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Choose the next runs to make.

    Lists, in order, the runs that reduce the expected regret at these batch sizes the most per unit of cost,
    with the regret expected after each, and says so if no run is worth making. Fits the sweep, or reads a fit
    saved by `surge-fit fit -o`.
    """
    if as_csv and as_json:
        msg = "--csv and --json exclude each other. Leave one out."
        raise click.UsageError(msg)
    posterior = fit_or_load(path, sweep_options, fit_options, output=output, at=at)
    from surge_fit._support.allocator import keep_freed_memory
    from surge_fit.decisions import planning
    from surge_fit.report import plan as report

    keep_freed_memory()
    plan = planning.next_runs(posterior, batch_size=batch_size, count=count, cost=cost, worth=worth)
    if as_csv:
        write(report.to_csv(plan))
    else:
        show(report, plan, as_json=as_json)
    exit_unless_trustworthy(posterior)
