"""The command ``curve``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from surge_fit.cli.dump_options import DumpOptions, dump_argument, dump_options
from surge_fit.cli.output import examples, show
from surge_fit.cli.parameters import BATCH_SIZES, FILE, SEED, joined, json_option, output_file, plot_option


@click.command(
    epilog=examples(
        "surge-fit curve grads.safetensors --optimizer sign --curvature hessian.safetensors",
        "surge-fit curve grads.safetensors --optimizer adam --state adam.safetensors --plot curve.png",
        "surge-fit curve grads.safetensors -o curve.json",
    )
)
@dump_argument
@click.option(
    "--optimizer",
    type=click.Choice(("sgd", "sign", "adam")),
    default="sign",
    help="Update rule: the gradient, its sign, or Adam's update from its saved state.",
)
@click.option(
    "--curvature",
    type=FILE,
    metavar="FILE",
    help="'hessian' (parameters × parameters) or '<tensor>.hessian_diagonal'. [default: the empirical Fisher "
    "of the dump, known up to scale]",
)
@click.option(
    "--state",
    type=FILE,
    metavar="FILE",
    help="Optimizer state: the state_dict of PyTorch's Adam, AdamW or SGD (optimizer.pt); or "
    "'<tensor>.exp_avg' and '.exp_avg_sq' of Adam, '<tensor>.momentum_buffer' of SGD, with scalars in the "
    "metadata.",
)
@click.option(
    "--weights", type=FILE, metavar="FILE", help="Parameters by tensor name, which weight decay needs."
)
@click.option(
    "--weight-decay",
    type=click.FloatRange(min=0.0),
    default=0.0,
    metavar="λ",
    help="Decoupled weight decay, as in AdamW.",
)
@click.option(
    "--batch-size",
    "-b",
    type=BATCH_SIZES,
    multiple=True,
    callback=joined,
    metavar="B,B,…",
    help="Batch sizes to predict for; repeatable. [default: powers of two up to the number of examples]",
)
@click.option(
    "--resamples",
    type=click.IntRange(min=2),
    metavar="N",
    help="Number of minibatches of each size. [default: one per row, from 64 to 512]",
)
@click.option("--seed", type=SEED, default=0, metavar="N", help="Seed for drawing the minibatches.")
@dump_options
@click.option(
    "--output",
    "-o",
    type=output_file("The curve", ".json"),
    metavar="FILE.json",
    help="Save the curve, for `surge-fit fit --curve`.",
)
@plot_option
@json_option
def curve(
    paths: tuple[str, ...],
    optimizer: Literal["sgd", "sign", "adam"],
    curvature: Path | None,
    state: Path | None,
    weights: Path | None,
    weight_decay: float,
    batch_size: tuple[float, ...],
    resamples: int | None,
    seed: int,
    dump_options: DumpOptions,
    output: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Predict the best learning rate from one checkpoint's gradients.

    Reports, for each batch size, what theory predicts (exact for SGD; for sign descent and Adam the theorems
    behind the surge law, with exact and approximate expected signs), what minibatches resampled from the dump
    show without assuming that parameters are independent, with intervals, and whether the two agree.
    """
    from surge_fit.gradients.curve import learning_rate_curve, save_curve
    from surge_fit.gradients.dump import open_dump
    from surge_fit.report import curve as report
    from surge_fit.report.progress import byte_progress

    dump = open_dump(paths, **vars(dump_options))
    with byte_progress() as progress:
        rates = learning_rate_curve(
            dump,
            optimizer,
            curvature=curvature,
            state=state,
            weights=weights,
            weight_decay=weight_decay,
            batch_size=batch_size or None,
            resamples=resamples,
            random_seed=seed,
            progress=progress,
        )
    show(report, rates, as_json=as_json)
    if output is not None:
        save_curve(rates, output)
        click.echo(f"Saved {output}.", err=True)
    if plot is not None:
        from surge_fit.plots import save_learning_rate_curve

        save_learning_rate_curve(rates, plot)
