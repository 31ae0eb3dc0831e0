"""Commands that take a table of runs: ``recommend``, ``fit``, ``check`` and ``laws``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surge_fit.cli.app import FAILED, app, examples, show, tell, terminal
from surge_fit.cli.options import (
    AtOption,
    BatchUnitOption,
    ColumnOption,
    CovariatesOption,
    CurveOption,
    EngineOption,
    GradientsOption,
    GroupByOption,
    GroupOption,
    JsonOption,
    LawOption,
    OutputOption,
    ProtocolOption,
    SeedOption,
    SweepArgument,
    batch_sizes,
    columns_of,
    names_of,
    plot_file,
    positive,
    read,
)
from surge_fit.cli.posteriors import (
    SweepOrPosteriorArgument,
    exit_unless_trustworthy,
    fit_and_save,
    fit_or_load,
    one_group,
    require_one_way,
)

if TYPE_CHECKING:
    from surge_fit.posterior.value import Posterior


@app.command(
    epilog=examples(
        "surge-fit recommend sweep.csv --batch-unit examples -b 64,512,4096",
        "surge-fit recommend posterior.nc -b 4096 --current-learning-rate 3e-4 --plot law.png",
        "surge-fit recommend all.nc -b 4096 --at N=7e9,D=1e12",
        "surge-fit recommend runs.csv --batch-unit sequences -b 1024 --column loss='smooth loss'",
    )
)
def recommend(
    sweep: SweepOrPosteriorArgument,
    batch_size: Annotated[
        list[str],
        typer.Option("--batch-size", "-b", metavar="B,B,…", help="Batch sizes to recommend for; repeatable."),
    ],
    current_learning_rate: Annotated[
        float | None,
        typer.Option(callback=positive, metavar="RATE", help="The rate in use: what it costs is told too."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(callback=plot_file, metavar="FILE", help="Save the figure as .png, .svg or .pdf."),
    ] = None,
    output: OutputOption = None,
    law: LawOption = None,
    batch_unit: BatchUnitOption = None,
    column: ColumnOption = None,
    protocol: ProtocolOption = None,
    group_by: GroupByOption = None,
    group: GroupOption = None,
    covariates: CovariatesOption = None,
    at: AtOption = None,
    gradients: GradientsOption = None,
    curve: CurveOption = None,
    seed: SeedOption = None,
    engine: EngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recommend a learning rate for each batch size.

    Tells the rate of least expected regret with the 90 % interval of the optimum, what a wrong choice would
    cost, and how the current rate, the square-root rule and the linear rule compare. Fits the sweep, or
    reads a fit that `surge-fit fit -o` saved. Of several groups, --at says which the rate is for; it may be
    one that was never run.
    """
    sizes = batch_sizes(batch_size)
    posterior = fit_or_load(
        sweep,
        output=output,
        law=law,
        batch_unit=batch_unit,
        column=column,
        protocol=protocol,
        group_by=group_by,
        group=group,
        covariates=covariates,
        at=at,
        seed=seed,
        engine=engine,
        gradients=gradients,
        curve=curve,
    )
    from surge_fit.decisions.recommendation import recommend as recommend_from
    from surge_fit.report import compose, to_json, to_text

    found = recommend_from(posterior, batch_size=sizes, current_learning_rate=current_learning_rate)
    report = compose(posterior, found)
    show(to_json(report)) if as_json else tell(to_text(report, **terminal()))
    if plot is not None:
        from surge_fit.plots import save_recommendation

        save_recommendation(posterior, found, plot)
    exit_unless_trustworthy(posterior)


@app.command(
    epilog=examples(
        "surge-fit fit sweep.csv --batch-unit examples -o posterior.nc",
        "surge-fit fit runs.csv --batch-unit tokens --group-by N,D --group 'N=2e8, D=1e11'",
        "surge-fit fit runs.csv --batch-unit tokens --covariates N,D -o all.nc",
        "surge-fit fit steps.csv --batch-unit sequences --protocol to_target --plot steps.png",
    )
)
def fit(
    sweep: SweepArgument,
    output: OutputOption = None,
    law: LawOption = None,
    batch_unit: BatchUnitOption = None,
    column: ColumnOption = None,
    protocol: ProtocolOption = None,
    group_by: GroupByOption = None,
    group: GroupOption = None,
    covariates: CovariatesOption = None,
    at: AtOption = None,
    gradients: GradientsOption = None,
    curve: CurveOption = None,
    seed: SeedOption = None,
    engine: EngineOption = None,
    plot: Annotated[
        Path | None,
        typer.Option(callback=plot_file, metavar="FILE", help="Save the figure as .png, .svg or .pdf."),
    ] = None,
    plot_priors: Annotated[
        Path | None,
        typer.Option(
            callback=plot_file, metavar="FILE", help="Save a figure of every prior beside its posterior."
        ),
    ] = None,
    priors: Annotated[bool, typer.Option("--priors", help="Print the priors too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fit a law to a sweep and save the posterior.

    Prints the parameters with their intervals, the diagnostics and every reason for caution. Steps to a
    target give the critical batch size, and steps and examples at every batch size tried. The saved file
    is NetCDF: `surge-fit recommend` reads it without fitting again, and ArviZ reads it too. Several groups
    are fitted together, as draws of one population that may follow covariates; what is told then is that
    population, its trends and every group, or the one group asked for with --at.
    """
    columns = columns_of(column)
    held = read(sweep, columns, batch_unit, protocol, group_by or covariates, group)
    require_one_way(held, group, covariates, at)
    if plot is not None and at is None and covariates is None and len(held.groups) > 1:
        msg = "The figure of several groups is drawn over a covariate: give --covariates."
        raise typer.BadParameter(msg)
    fitted = fit_and_save(held, law, seed, output, names_of(covariates), engine, gradients, curve)
    posterior = one_group(fitted, at)
    if posterior.is_pooled:
        _tell_population(posterior, priors, as_json)
    else:
        _tell_fit(posterior, priors, as_json)
    if plot is not None:
        from surge_fit.plots import save_fit

        save_fit(posterior, plot)
    if plot_priors is not None:
        from surge_fit.plots import save_priors

        save_priors(fitted, plot_priors)
    exit_unless_trustworthy(posterior)


def _tell_population(posterior: Posterior, priors: bool, as_json: bool) -> None:
    from surge_fit.report import compose_population, population_to_json, population_to_text

    report = compose_population(posterior)
    if as_json:
        show(population_to_json(report))
    else:
        tell(population_to_text(report, priors=priors, **terminal()))


def _tell_fit(posterior: Posterior, priors: bool, as_json: bool) -> None:
    from surge_fit.report import compose, to_json, to_text

    report = compose(posterior)
    if as_json:
        show(to_json(report))
    else:
        tell(to_text(report, parameters=True, priors=priors, **terminal()))


@app.command(
    epilog=examples(
        "surge-fit check sweep.csv --batch-unit examples",
        "surge-fit check runs.csv --batch-unit sequences --group-by N,D --json",
    )
)
def check(
    sweep: SweepArgument,
    batch_unit: BatchUnitOption = None,
    column: ColumnOption = None,
    protocol: ProtocolOption = None,
    group_by: GroupByOption = None,
    group: GroupOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a sweep holds, and what weakens a fit.

    Exits with 1 where the sweep cannot be fitted.
    """
    columns = columns_of(column)
    held = read(sweep, columns, batch_unit, protocol, group_by, group)
    from surge_fit.report import sweep_to_json, sweep_to_text

    show(sweep_to_json(held)) if as_json else tell(sweep_to_text(held, **terminal()))
    if any(found.severity == "error" for found in held.checks()):
        raise typer.Exit(FAILED)


@app.command(
    epilog=examples(
        "surge-fit laws",
    )
)
def laws(as_json: JsonOption = False) -> None:
    """List the laws, and where each holds.

    Tells name, formula, parameters, regime and reference of every built-in law.
    """
    from surge_fit.law import LAWS
    from surge_fit.report import law_to_json, laws_to_text

    if as_json:
        show([law_to_json(law) for law in LAWS.values()])
    else:
        tell(laws_to_text(LAWS.values(), **terminal()))
