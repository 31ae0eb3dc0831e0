"""What several commands do with a fit: make it or read it, save it, and fail where it cannot be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surge_fit.cli.app import FAILED
from surge_fit.cli.options import BatchUnit, Protocol, columns_of, read
from surge_fit.errors import UntrustworthyFitError

if TYPE_CHECKING:
    from surge_fit.posterior import Posterior
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
    seed: int | None,
) -> Posterior:
    """Fit a table with learning rates as the options say, or read a saved posterior, which takes none."""
    if path.suffix == ".nc":
        given = {
            "--output": output,
            "--law": law,
            "--batch-unit": batch_unit,
            "--column": column,
            "--protocol": protocol,
            "--group-by": group_by,
            "--group": group,
            "--seed": seed,
        }
        _refuse_with_posterior(given)
        from surge_fit.posterior import load_posterior

        return load_posterior(path)
    held = read(path, columns_of(column), batch_unit, protocol, group_by, group)
    from surge_fit.observations import require_learning_rates

    require_learning_rates(held)
    return fit_and_save(held, law, seed, output)


def fit_and_save(sweep: Sweep, law: str | None, seed: int | None, output: Path | None) -> Posterior:
    """Fit with progress on stderr and save; a fit that cannot be trusted is returned all the same."""
    from surge_fit.fitting import fit as fit_sweep
    from surge_fit.report.progress import progress_bar

    with progress_bar() as progress:
        try:
            posterior = fit_sweep(sweep, law=law or "broken_power", random_seed=seed or 0, progress=progress)
        except UntrustworthyFitError as error:
            posterior = error.posterior  # type: ignore[assignment]
    if output is not None:
        from surge_fit.writing import replacing

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
            raise typer.BadParameter(
                f"{option} is for fitting a table of runs; a posterior (.nc) is fitted already. Leave it out."
            )
