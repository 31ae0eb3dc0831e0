"""The command ``fit``."""

from __future__ import annotations

from pathlib import Path

import click

from surge_fit.cli.fit_options import FitOptions, fit_options
from surge_fit.cli.fits import (
    at_option,
    exit_unless_trustworthy,
    one_group,
    output_option,
    require_one_way,
    save,
)
from surge_fit.cli.output import examples, show
from surge_fit.cli.parameters import json_option, output_file, plot_option
from surge_fit.cli.sweep_options import SweepOptions, sweep_argument, sweep_options


@click.command(
    epilog=examples(
        "surge-fit fit sweep.csv --batch-unit examples -o posterior.nc",
        "surge-fit fit runs.csv --batch-unit tokens --group-by N,D --group 'N=2e8, D=1e11'",
        "surge-fit fit runs.csv --batch-unit tokens --covariates N,D -o all.nc",
        "surge-fit fit steps.csv --batch-unit sequences --protocol to_target --plot steps.png",
    )
)
@sweep_argument
@sweep_options
@at_option
@fit_options
@click.option("--priors", is_flag=True, help="Print the priors too.")
@output_option
@plot_option
@click.option(
    "--plot-priors",
    type=output_file("The figure", ".png", ".svg", ".pdf"),
    metavar="FILE",
    help="Save a figure of each prior beside its posterior.",
)
@json_option
def fit(
    path: str,
    sweep_options: SweepOptions,
    at: str | None,
    fit_options: FitOptions,
    priors: bool,
    output: Path | None,
    plot: Path | None,
    plot_priors: Path | None,
    as_json: bool,
) -> None:
    """Fit a law to a sweep and save the posterior.

    Prints the parameters with their intervals, the diagnostics and every reason for caution. From steps to a
    target loss it estimates the critical batch size, and the steps and examples needed at each batch size
    tried. The saved file is NetCDF: `surge-fit recommend` reads it without fitting again, and so does ArviZ.
    Several groups are fitted together, as draws from one population that may follow covariates; the report
    covers that population, its trends and every group, or only the group named with --at.
    """
    sweep = sweep_options.read(path, fit_options.covariates)
    require_one_way(sweep, sweep_options, fit_options, at)
    if plot is not None and at is None and not fit_options.covariates and len(sweep.groups) > 1:
        msg = "A figure of several groups has a covariate as its axis: give --covariates."
        raise click.UsageError(msg)
    fitted = fit_options.fit(sweep)
    if output is not None:
        save(fitted, output)
    posterior = one_group(fitted, at)
    from surge_fit.report import compose, compose_population, population
    from surge_fit.report import fit as one_fit

    if posterior.is_pooled:
        show(population, compose_population(posterior), as_json=as_json, priors=priors)
    else:
        show(one_fit, compose(posterior), as_json=as_json, parameters=True, priors=priors)
    if plot is not None:
        from surge_fit.plots import save_fit

        save_fit(posterior, plot)
    if plot_priors is not None:
        from surge_fit.plots import save_priors

        save_priors(fitted, plot_priors)
    exit_unless_trustworthy(posterior)
