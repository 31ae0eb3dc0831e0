"""What several commands do with a fit: make it or read it, save it, and fail where it cannot be trusted."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from surge_fit.cli.fit_options import FitOptions
from surge_fit.cli.options import options_given
from surge_fit.cli.output import FAILED
from surge_fit.cli.parameters import output_file
from surge_fit.cli.sweep_options import SweepOptions, group_named
from surge_fit.errors import UntrustworthyFitError

if TYPE_CHECKING:
    from surge_fit.posterior.value import Posterior
    from surge_fit.sweep import Sweep

_ONLY_FOR_TABLES = {"output", *(one.name for value in (SweepOptions, FitOptions) for one in fields(value))}

sweep_or_posterior_argument = click.argument(
    "path", metavar="SWEEP|POSTERIOR.nc", help="Table of runs, or a saved fit."
)
output_option = click.option(
    "--output",
    "-o",
    type=output_file("The posterior", ".nc"),
    metavar="FILE.nc",
    help="Save the posterior.",
)
at_option = click.option(
    "--at",
    metavar="'N=…, D=…'",
    help="Group to report on when several are fitted together: one that was run, or the covariates of one "
    "that was not.",
)


def fit_or_load(
    path: str, sweep_options: SweepOptions, fit_options: FitOptions, *, output: Path | None, at: str | None
) -> Posterior:
    """Fit a table of learning rates as the options say, or read a saved posterior, which takes only `at`."""
    if path.endswith(".nc"):
        _refuse_with_posterior()
        from surge_fit.posterior.loading import load_posterior

        return one_group(load_posterior(path), at)
    sweep = sweep_options.read(path, fit_options.covariates)
    require_one_way(sweep, sweep_options, fit_options, at)
    if at is None and len(sweep.groups) > 1:
        msg = (
            f"{sweep.source} has {len(sweep.groups)} groups, and an answer is about one. Choose one with "
            "--at to fit them together, or with --group to use its runs alone."
        )
        raise click.UsageError(msg)
    from surge_fit.model.observations import require_learning_rates

    require_learning_rates(sweep)
    posterior = fit_options.fit(sweep)
    if output is not None:
        save(posterior, output)
    return one_group(posterior, at)


def require_one_way(
    sweep: Sweep, sweep_options: SweepOptions, fit_options: FitOptions, at: str | None
) -> None:
    """Refuse a group that is not there, and options that contradict each other, before anything is fitted."""
    for flag, given in (("--covariates", fit_options.covariates), ("--at", at)):
        if given and sweep_options.group is not None:
            msg = f"--group fits one group by itself; {flag} is for several together. Leave one of them out."
            raise click.UsageError(msg)
        if given and len(sweep.groups) < 2:
            msg = (
                f"{flag} is for several groups fitted together; {sweep.source} has "
                f"{len(sweep.groups) or 'none'}. Name the columns that define them with --group-by."
            )
            raise click.UsageError(msg)
    if at is not None:
        from surge_fit.model.observations import observe
        from surge_fit.posterior.population import PooledRuns, choose

        choose(group_named(at, sweep), PooledRuns(sweep, observe(sweep, fit_options.covariates)))


def one_group(posterior: Posterior, at: str | None) -> Posterior:
    """Take the group that is asked for, if one is."""
    return posterior if at is None else posterior.group(group_named(at, posterior.sweep))


def save(posterior: Posterior, path: Path) -> None:
    """Save a posterior whole or not at all, and say so on stderr."""
    from surge_fit._support.files import replacing

    with replacing(path) as draft:
        posterior.save(draft)
    click.echo(f"Saved {path}.", err=True)


def exit_unless_trustworthy(posterior: Posterior) -> None:
    """End with exit code 1 where the chains disagree, after the result was shown."""
    if not posterior.diagnostics.trustworthy:
        click.echo(f"Error: {UntrustworthyFitError(posterior, posterior.diagnostics.problems)}", err=True)
        click.get_current_context().exit(FAILED)


def _refuse_with_posterior() -> None:
    for name, flag in options_given().items():
        if name in _ONLY_FOR_TABLES:
            msg = f"{flag} is for fitting a table of runs; a posterior (.nc) is already fitted. Leave it out."
            raise click.UsageError(msg)
