"""Commands that take gradient dumps: ``gradients`` and ``inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from surge_fit.cli.app import app, examples, show, tell, terminal
from surge_fit.cli.options import JsonOption, batch_sizes, plot_file, positive, regular_expressions, suffixed

if TYPE_CHECKING:
    from surge_fit.gradients.dump import Dump

_OUTPUTS = (".safetensors", ".npy")

PathsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH…",
        help="Files, folders or patterns: .safetensors, .index.json, .npy, .npz, .pt, .pth, raw with a JSON "
        "sidecar, .h5, .zarr.",
    ),
]
LayoutOption = Annotated[
    Literal["examples", "rows"] | None,
    typer.Option(help="examples: along the first axis of every array; rows: one file per row."),
]
MicrobatchOption = Annotated[
    str | None,
    typer.Option(metavar="B|B,B,…", help="Examples whose mean a row is, for all rows or for each."),
]
ReductionOption = Annotated[
    Literal["none", "mean", "sum"] | None,
    typer.Option(help="A row is g_k (none), g_k/N (mean), or summed over its examples (sum)."),
]
ScaleOption = Annotated[
    float | None, typer.Option(callback=positive, metavar="S", help="Factor that the loss was scaled by.")
]
ClippedOption = Annotated[
    bool | None, typer.Option("--clipped/--not-clipped", help="Whether gradients were clipped.")
]
RowGroupsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Text with a label per row; rows of one label (document, rank) are correlated."
    ),
]
AbsentOption = Annotated[
    Literal["zero", "missing"] | None,
    typer.Option(help="What a row without a gradient for a tensor means (embeddings, experts)."),
]
VoidOption = Annotated[
    Literal["bfloat16"] | None, typer.Option(help="What 2-byte void numbers in .npy files are.")
]


def _per_parameter_file(path: Path | None) -> Path | None:
    return suffixed(path, _OUTPUTS, "The per-parameter file")


def _statistics_file(path: Path | None) -> Path | None:
    return suffixed(path, (".json",), "The statistics")


@app.command(
    epilog=examples(
        "surge-fit gradients grads.safetensors",
        "surge-fit gradients 'rank*.pt' --microbatch-size 32 --group 'layers\\.(\\d+)\\.'",
        "surge-fit gradients step*/ --batch-size 512 --plot noise.png -o statistics.json",
    )
)
def gradients(
    paths: PathsArgument,
    layout: LayoutOption = None,
    microbatch_size: MicrobatchOption = None,
    loss_reduction: ReductionOption = None,
    loss_scale: ScaleOption = None,
    clipped: ClippedOption = None,
    row_groups: RowGroupsOption = None,
    absent: AbsentOption = None,
    void_dtype: VoidOption = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="REGEX", help="Add rows that sum the tensors of equal match; repeatable."),
    ] = None,
    batch_size: Annotated[
        str | None,
        typer.Option("--batch-size", "-b", metavar="B", help="Tell how Gaussian the mean of B examples is."),
    ] = None,
    per_parameter: Annotated[
        Path | None,
        typer.Option(
            callback=_per_parameter_file,
            metavar="FILE",
            help="Write mean and variance of every parameter (with -b, third and fourth moment): "
            ".safetensors or .npy.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            callback=_statistics_file,
            metavar="FILE.json",
            help="Save the statistics, to load or merge them later.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(callback=plot_file, metavar="FILE", help="Save the figure as .png, .svg or .pdf."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the gradient noise in a dump of gradients.

    Tells |G|², tr Σ and the simple noise scale tr Σ/|G|² with intervals, per tensor and in total, from
    per-example or micro-batch gradients. Files are mapped, not loaded, and pickles are never executed.
    Files of several checkpoints give a series.
    """
    size = None if batch_size is None else batch_sizes([batch_size])[0]
    patterns = regular_expressions(group)
    options = {
        "layout": layout,
        "microbatch_size": microbatch_sizes(microbatch_size),
        "loss_reduction": loss_reduction,
        "loss_scale": loss_scale,
        "clipped": clipped,
        "row_groups": None if row_groups is None else _labels(row_groups),
        "absent": absent,
    }
    from surge_fit.gradients.dump import open_checkpoints
    from surge_fit.gradients.noise import gradient_statistics, save_statistics
    from surge_fit.report.gradient_records import checkpoints_to_json
    from surge_fit.report.gradients import checkpoints_to_text
    from surge_fit.report.progress import byte_progress

    dumps = open_checkpoints(paths, void_dtype=void_dtype, **options)
    if per_parameter is not None and len(dumps) > 1:
        msg = f"must be the file of one checkpoint; the dump holds {len(dumps)}. Pass one at a time."
        raise typer.BadParameter(
            msg,
            param_hint="'--per-parameter'",
        )
    with byte_progress() as progress:
        found = [
            gradient_statistics(
                dump, batch_size=size, group=patterns, per_parameter=per_parameter, progress=progress
            )
            for dump in dumps
        ]
    if output is not None:
        save_statistics(found, output, **checkpoints_to_json(found))
        typer.echo(f"Saved {output}.", err=True)
    show(checkpoints_to_json(found)) if as_json else tell(checkpoints_to_text(found, **terminal()))
    if plot is not None:
        from surge_fit.plots import save_gradient_noise

        save_gradient_noise(found, plot)


@app.command(
    epilog=examples(
        "surge-fit inspect grads.safetensors",
        "surge-fit inspect 'rank*.pt' --json",
    )
)
def inspect(
    paths: PathsArgument,
    layout: LayoutOption = None,
    microbatch_size: MicrobatchOption = None,
    loss_reduction: ReductionOption = None,
    loss_scale: ScaleOption = None,
    clipped: ClippedOption = None,
    absent: AbsentOption = None,
    void_dtype: VoidOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a gradient dump holds, and what would be assumed of it.

    Lists tensors, dtypes, shapes and rows. Reads headers only, no gradient.
    """
    options: dict[str, Any] = {
        "layout": layout,
        "microbatch_size": microbatch_sizes(microbatch_size),
        "loss_reduction": loss_reduction,
        "loss_scale": loss_scale,
        "clipped": clipped,
        "absent": absent,
    }
    from surge_fit.gradients.dump import open_checkpoints
    from surge_fit.report.gradient_records import dumps_to_json
    from surge_fit.report.gradients import dumps_to_text

    dumps: tuple[Dump, ...] = open_checkpoints(paths, void_dtype=void_dtype, **options)
    show(dumps_to_json(dumps)) if as_json else tell(dumps_to_text(dumps, **terminal()))


def microbatch_sizes(text: str | None) -> float | list[float] | None:
    """Parse ``32`` or one number for each row, ``32,32,16``."""
    if text is None:
        return None
    words = text.split(",")
    try:
        sizes = [float(word) for word in words]
    except ValueError:
        msg = f"must be a number of examples, or one for each row: 32 or 32,32,16; got {text!r}."
        raise typer.BadParameter(
            msg,
            param_hint="'--microbatch-size'",
        ) from None
    return sizes[0] if len(sizes) == 1 else sizes


def _labels(path: Path) -> list[str]:
    from surge_fit.gradients.dump import read_labels

    return read_labels(path)
