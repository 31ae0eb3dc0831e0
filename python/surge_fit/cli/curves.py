"""The command that takes a gradient dump to a learning-rate curve."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from surge_fit.cli.app import app, examples, show, tell, terminal
from surge_fit.cli.gradients import (
    AbsentOption,
    ClippedOption,
    LayoutOption,
    MicrobatchOption,
    PathsArgument,
    ReductionOption,
    ScaleOption,
    VoidOption,
    microbatch_sizes,
)
from surge_fit.cli.options import JsonOption, batch_sizes, plot_file, suffixed


def _curve_file(path: Path | None) -> Path | None:
    return suffixed(path, (".json",), "The curve")


@app.command(
    epilog=examples(
        "surge-fit curve grads.safetensors --optimizer sign --curvature hessian.safetensors",
        "surge-fit curve grads.safetensors --optimizer adam --state adam.safetensors --plot curve.png",
        "surge-fit curve grads.safetensors -o curve.json",
    )
)
def curve(
    paths: PathsArgument,
    optimizer: Annotated[
        Literal["sgd", "sign", "adam"],
        typer.Option(help="Whose update: the gradient, its sign, or Adam's own from its state."),
    ] = "sign",
    curvature: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="'hessian' (parameters × parameters) or '<tensor>.hessian_diagonal'. [default: the "
            "empirical Fisher of the dump, whose scale is unknown]",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="'<tensor>.exp_avg' and '.exp_avg_sq' of Adam, '<tensor>.momentum_buffer' of SGD, numbers "
            "in the metadata.",
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="'<tensor>' parameters, for --weight-decay.")
    ] = None,
    weight_decay: Annotated[
        float, typer.Option(min=0.0, metavar="λ", help="Decoupled weight decay, as AdamW's.")
    ] = 0.0,
    batch_size: Annotated[
        list[str] | None,
        typer.Option("--batch-size", "-b", metavar="B,…", help="[default: powers of two up to the examples]"),
    ] = None,
    resamples: Annotated[
        int | None,
        typer.Option(min=2, help="Minibatches of each size. [default: one per row, from 64 to 512]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of the minibatches.")] = 0,
    layout: LayoutOption = None,
    microbatch_size: MicrobatchOption = None,
    loss_reduction: ReductionOption = None,
    loss_scale: ScaleOption = None,
    clipped: ClippedOption = None,
    absent: AbsentOption = None,
    void_dtype: VoidOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            callback=_curve_file,
            metavar="FILE.json",
            help="Save the curve, for `surge-fit fit --curve`.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(callback=plot_file, metavar="FILE", help="Save the figure as .png, .svg or .pdf."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the best learning rate over the batch size from one checkpoint's gradients.

    Tells what the theory says (SGD exactly; for sign descent and Adam the theorems of the surge law, with
    exact and with approximate expected signs) and what minibatches of the dump say without assuming that
    parameters are independent, with intervals, and whether the two agree.
    """
    sizes = batch_sizes(batch_size) if batch_size else None
    from surge_fit.gradients.curve import learning_rate_curve, save_curve
    from surge_fit.gradients.dump import open_dump
    from surge_fit.report.curve import curve_to_json, curve_to_text
    from surge_fit.report.progress import byte_progress

    dump = open_dump(
        paths,
        layout=layout,
        microbatch_size=microbatch_sizes(microbatch_size),
        loss_reduction=loss_reduction,
        loss_scale=loss_scale,
        clipped=clipped,
        absent=absent,
        void_dtype=void_dtype,
    )
    with byte_progress() as progress:
        found = learning_rate_curve(
            dump,
            optimizer,
            curvature=curvature,
            state=state,
            weights=weights,
            weight_decay=weight_decay,
            batch_size=sizes,
            resamples=resamples,
            random_seed=seed,
            progress=progress,
        )
    show(curve_to_json(found)) if as_json else tell(curve_to_text(found, **terminal()))
    if output is not None:
        save_curve(found, output)
        typer.echo(f"Saved {output}.", err=True)
    if plot is not None:
        from surge_fit.plots import save_learning_rate_curve

        save_learning_rate_curve(found, plot)
