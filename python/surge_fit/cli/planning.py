"""The command that plans runs: ``next``."""

from __future__ import annotations

from typing import Annotated

import typer

from surge_fit.cli.app import app, examples, show, tell, terminal
from surge_fit.cli.options import (
    AtOption,
    BatchUnitOption,
    ColumnOption,
    CovariatesOption,
    GroupByOption,
    GroupOption,
    JsonOption,
    LawOption,
    OutputOption,
    ProtocolOption,
    SeedOption,
    batch_sizes,
    positive,
)
from surge_fit.cli.posteriors import SweepOrPosteriorArgument, exit_unless_trustworthy, fit_or_load


@app.command(
    name="next",
    epilog=examples(
        "surge-fit next posterior.nc --batch-size 4096",
        "surge-fit next posterior.nc -b 4096 --cost tokens --worth 1e12 --csv > runs.csv",
        "surge-fit next sweep.csv --batch-unit examples -b 1024,4096 --count 6",
    ),
)
def next_(
    sweep: SweepOrPosteriorArgument,
    batch_size: Annotated[
        list[str],
        typer.Option("--batch-size", "-b", metavar="B,B,…", help="Where a rate will be needed; repeatable."),
    ],
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Runs to choose at most.")] = 4,
    cost: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Column of the sweep that a run costs: tokens, steps. [default: 1]"
        ),
    ] = None,
    worth: Annotated[
        float | None,
        typer.Option(
            callback=positive, metavar="X", help="Cost that one nat less of loss is worth: when to stop."
        ),
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
    seed: SeedOption = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the runs as CSV.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the runs to make next.

    Tells the runs that shrink the expected regret at the batch sizes most per unit of cost, in order, with
    what is expected after each; and says so where no run is worth making. Fits the sweep, or reads a fit
    that `surge-fit fit -o` saved.
    """
    sizes = batch_sizes(batch_size)
    if as_csv and as_json:
        msg = "--csv and --json exclude each other. Leave one out."
        raise typer.BadParameter(msg)
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
    )
    from surge_fit.decisions.planning import next_runs
    from surge_fit.report.plan import plan_to_csv, plan_to_json, plan_to_text

    plan = next_runs(posterior, batch_size=sizes, count=count, cost=cost, worth=worth)
    if as_csv:
        tell(plan_to_csv(plan))
    elif as_json:
        show(plan_to_json(plan))
    else:
        tell(plan_to_text(plan, **terminal()))
    exit_unless_trustworthy(posterior)
