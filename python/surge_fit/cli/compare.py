"""The command ``compare``."""

from __future__ import annotations

from pathlib import Path

import click

from surge_fit.cli.output import examples, show
from surge_fit.cli.parameters import LAW, SEED, json_option, plot_option
from surge_fit.cli.sweep_options import SweepOptions, sweep_argument, sweep_options


def _two_or_more(
    _context: click.Context, _option: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...] | None:
    if names and (len(names) < 2 or len(set(names)) < len(names)):
        msg = f"must name two or more laws, each once; got {', '.join(names)}."
        raise click.BadParameter(msg)
    return names or None


@click.command(
    epilog=examples(
        "surge-fit compare sweep.csv --batch-unit examples --plot laws.png",
        "surge-fit compare sweep.csv --batch-unit examples --law sgd --law surge --law broken_power",
    )
)
@sweep_argument
@sweep_options
@click.option(
    "--law",
    "laws",
    type=LAW,
    multiple=True,
    callback=_two_or_more,
    metavar="NAME",
    help="A law to compare; repeatable. `surge-fit laws` lists them. [default: eight of them]",
)
@click.option("--seed", type=SEED, default=0, metavar="N", help="Seed of the sampler.")
@plot_option
@json_option
def compare(
    path: str,
    sweep_options: SweepOptions,
    laws: tuple[str, ...] | None,
    seed: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Compare laws by how well they predict held-out batch sizes.

    Leaves out one batch size at a time, refits every law to the others and scores how well it predicts the
    runs left out. Reports which law is best, which tie with it and which lose. Needs at least three batch
    sizes, and patience: it makes one fit per law and batch size.

    Laws are compared on one group, each with its default priors, by the native engine: --covariates,
    --gradients, --curve and --engine of `surge-fit fit` do not apply.
    """
    sweep = sweep_options.read(path)
    from surge_fit.decisions.comparison import compare as compare_laws
    from surge_fit.report import comparison as report
    from surge_fit.report.progress import progress_bar

    with progress_bar() as progress:
        comparison = compare_laws(sweep, laws=laws, random_seed=seed, progress=progress)
    show(report, comparison, as_json=as_json)
    if plot is not None:
        from surge_fit.plots import save_comparison

        save_comparison(comparison, plot)
