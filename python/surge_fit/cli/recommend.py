"""The command ``recommend``."""

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
from surge_fit.cli.output import examples, show
from surge_fit.cli.parameters import BATCH_SIZES, POSITIVE, joined, json_option, plot_option
from surge_fit.cli.sweep_options import SweepOptions, sweep_options


@click.command(
    epilog=examples(
        "surge-fit recommend sweep.csv --batch-unit examples -b 64,512,4096",
        "surge-fit recommend posterior.nc -b 4096 --current-learning-rate 3e-4 --plot law.png",
        "surge-fit recommend all.nc -b 4096 --at N=7e9,D=1e12",
        "surge-fit recommend runs.csv --batch-unit sequences -b 1024 --column loss='smooth loss'",
    )
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
    help="Batch sizes to recommend a learning rate for; repeatable.",
)
@click.option(
    "--current-learning-rate",
    type=POSITIVE,
    metavar="RATE",
    help="The learning rate in use, to see what it costs.",
)
@sweep_options
@at_option
@fit_options
@output_option
@plot_option
@json_option
def recommend(
    path: str,
    batch_size: tuple[float, ...],
    current_learning_rate: float | None,
    sweep_options: SweepOptions,
    at: str | None,
    fit_options: FitOptions,
    output: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Recommend a learning rate for each batch size.

    Reports the learning rate with the least expected regret, the 90 % interval of the optimum, what a wrong
    choice would cost, and how the current learning rate, the square-root rule and the linear rule compare.
    Fits the sweep, or reads a fit saved by `surge-fit fit -o`. With several groups, --at names the one to
    recommend for; it need not have any runs.
    """
    posterior = fit_or_load(path, sweep_options, fit_options, output=output, at=at)
    from surge_fit.decisions.recommendation import recommend as recommend_from
    from surge_fit.report import compose
    from surge_fit.report import fit as report

    recommendations = recommend_from(
        posterior, batch_size=batch_size, current_learning_rate=current_learning_rate
    )
    show(report, compose(posterior, recommendations), as_json=as_json)
    if plot is not None:
        from surge_fit.plots import save_recommendation

        save_recommendation(posterior, recommendations, plot)
    exit_unless_trustworthy(posterior)
