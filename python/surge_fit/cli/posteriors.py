"""What several commands do with a fit: make it or read it, save it, and fail where it cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surge_fit.cli.app import FAILED
from surge_fit.cli.options import BatchUnit, EngineName, Protocol, columns_of, group_meant, names_of, read
from surge_fit.errors import UntrustworthyFitError

if TYPE_CHECKING:
    from surge_fit.posterior.value import Posterior
    from surge_fit.sweep import Sweep

SweepOrPosteriorArgument = Annotated[
    Path, typer.Argument(metavar="SWEEP|POSTERIOR.nc", help="Table of runs, or a saved fit.")
]


def fit_or_load(
    path: Path,
    *,
    output: Path | None,
    law: str | None,
    batch_unit: BatchUnit | None,
    column: list[str] | None,
    protocol: Protocol | None,
    group_by: str | None,
    group: str | None,
    covariates: str | None,
    at: str | None,
    seed: int | None,
    engine: EngineName | None = None,
    gradients: Path | None = None,
    curve: Path | None = None,
) -> Posterior:
    """Fit a table with learning rates as the options say, or read a saved posterior, which takes but `at`."""
    if path.suffix == ".nc":
        given = {
            "--output": output,
            "--law": law,
            "--batch-unit": batch_unit,
            "--column": column,
            "--protocol": protocol,
            "--group-by": group_by,
            "--group": group,
            "--covariates": covariates,
            "--seed": seed,
            "--engine": engine,
            "--gradients": gradients,
            "--curve": curve,
        }
        _refuse_with_posterior(given)
        from surge_fit.posterior.value import load_posterior

        return one_group(load_posterior(path), at)
    held = read(path, columns_of(column), batch_unit, protocol, group_by or covariates, group)
    require_one_way(held, group, covariates, at)
    if at is None and len(held.groups) > 1:
        msg = (
            f"{held.source} has {len(held.groups)} groups, and an answer is about one. Fit them together and "
            "ask for one with --at, or take the runs of one alone with --group."
        )
        raise typer.BadParameter(msg)
    from surge_fit.model.observations import require_learning_rates

    require_learning_rates(held)
    fitted = fit_and_save(held, law, seed, output, names_of(covariates), engine, gradients, curve)
    return one_group(fitted, at)


def require_one_way(sweep: Sweep, group: str | None, covariates: str | None, at: str | None) -> None:
    """Refuse a group that is not there, and options that exclude each other, before anything is fitted."""
    for option, given in (("--covariates", covariates), ("--at", at)):
        if given is not None and group is not None:
            msg = (
                f"--group fits one group by itself, and {option} is for groups fitted together. Leave one "
                "of them out."
            )
            raise typer.BadParameter(msg)
        if given is not None and len(sweep.groups) < 2:
            msg = (
                f"{option} is for several groups fitted together; {sweep.source} has "
                f"{len(sweep.groups) or 'none'}. Name the columns that make them with --group-by."
            )
            raise typer.BadParameter(msg)
    if at is not None:
        from surge_fit.model.observations import observe
        from surge_fit.posterior.population import PooledRuns, choose

        choose(group_meant(at, sweep), PooledRuns(sweep, observe(sweep, names_of(covariates))))


def one_group(posterior: Posterior, at: str | None) -> Posterior:
    """Take the group that is asked for, if one is."""
    return posterior if at is None else posterior.group(group_meant(at, posterior.sweep))


def fit_and_save(
    sweep: Sweep,
    law: str | None,
    seed: int | None,
    output: Path | None,
    covariates: Sequence[str] = (),
    engine: EngineName | None = None,
    gradients: Path | None = None,
    curve: Path | None = None,
) -> Posterior:
    """Fit with progress on stderr and save; a fit that cannot be trusted is returned all the same."""
    from surge_fit.posterior.fitting import fit as fit_sweep
    from surge_fit.report.progress import progress_bar

    with progress_bar() as progress:
        try:
            posterior = fit_sweep(
                sweep,
                law=law or "broken_power",
                gradients=gradients,
                curve=curve,
                covariates=covariates,
                engine=engine or "auto",
                random_seed=seed or 0,
                progress=progress,
            )
        except UntrustworthyFitError as error:
            posterior = error.posterior  # type: ignore[assignment]
    if output is not None:
        from surge_fit._support.files import replacing

        with replacing(output) as draft:
            posterior.save(draft)
        typer.echo(f"Saved {output}.", err=True)
    return posterior


def exit_unless_trustworthy(posterior: Posterior) -> None:
    """End with exit code 1 where the chains disagree, after the result was told."""
    if not posterior.diagnostics.trustworthy:
        typer.echo(f"Error: {UntrustworthyFitError(posterior, posterior.diagnostics.problems)}", err=True)
        raise typer.Exit(FAILED)


def _refuse_with_posterior(given: Mapping[str, object]) -> None:
    for option, value in given.items():
        if value is not None and value != []:
            msg = (
                f"{option} is for fitting a table of runs; a posterior (.nc) is fitted already. Leave it out."
            )
            raise typer.BadParameter(msg)
