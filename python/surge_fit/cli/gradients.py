"""The command ``gradients``."""

from __future__ import annotations

from pathlib import Path

import click

from surge_fit.cli.dump_options import DumpOptions, dump_argument, dump_options
from surge_fit.cli.output import examples, terminal, write, write_json
from surge_fit.cli.parameters import BATCH_SIZE, FILE, PATTERN, json_option, output_file, plot_option


@click.command(
    epilog=examples(
        "surge-fit gradients grads.safetensors",
        "surge-fit gradients 'rank*.pt' --microbatch-size 32 --group 'layers\\.(\\d+)\\.'",
        "surge-fit gradients step*/ --batch-size 512 --plot noise.png -o statistics.json",
    )
)
@dump_argument
@dump_options
@click.option(
    "--row-groups",
    type=FILE,
    metavar="FILE",
    help="Text file with one label per row; rows with the same label (document, rank) are correlated.",
)
@click.option(
    "--group",
    type=PATTERN,
    multiple=True,
    metavar="REGEX",
    help="Also report the sum over the tensors that match alike; repeatable.",
)
@click.option(
    "--batch-size",
    "-b",
    type=BATCH_SIZE,
    metavar="B",
    help="Report how close to Gaussian the mean of B examples is.",
)
@click.option(
    "--per-parameter",
    type=output_file("The per-parameter file", ".safetensors", ".npy"),
    metavar="FILE",
    help="Write the mean and variance of every parameter, and with -b the third and fourth moments: "
    ".safetensors or .npy.",
)
@click.option(
    "--output",
    "-o",
    type=output_file("The statistics", ".json"),
    metavar="FILE.json",
    help="Save the statistics, to load or merge later.",
)
@plot_option
@json_option
def gradients(
    paths: tuple[str, ...],
    dump_options: DumpOptions,
    row_groups: Path | None,
    group: tuple[str, ...],
    batch_size: float | None,
    per_parameter: Path | None,
    output: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure the gradient noise in a dump of gradients.

    Reports |G|², tr Σ and the simple noise scale tr Σ/|G|² with intervals, per tensor and in total, from
    per-example or micro-batch gradients. Files are memory-mapped rather than loaded, and pickles are never
    executed. Files from several checkpoints give a series.
    """
    from surge_fit.gradients.dump import open_checkpoints, read_labels
    from surge_fit.gradients.noise import gradient_statistics, save_statistics
    from surge_fit.report.gradient_records import checkpoints_to_json
    from surge_fit.report.gradients import checkpoints_to_text
    from surge_fit.report.progress import byte_progress

    labels = None if row_groups is None else read_labels(row_groups)
    dumps = open_checkpoints(paths, **vars(dump_options), row_groups=labels)
    if per_parameter is not None and len(dumps) > 1:
        msg = f"must be the file of one checkpoint; the dump holds {len(dumps)}. Pass one at a time."
        raise click.BadParameter(msg, param_hint="'--per-parameter'")
    with byte_progress() as progress:
        measured = [
            gradient_statistics(
                dump, batch_size=batch_size, group=group, per_parameter=per_parameter, progress=progress
            )
            for dump in dumps
        ]
    if output is not None:
        save_statistics(measured, output, **checkpoints_to_json(measured))
        click.echo(f"Saved {output}.", err=True)
    if as_json:
        write_json(checkpoints_to_json(measured))
    else:
        write(checkpoints_to_text(measured, **terminal()))
    if plot is not None:
        from surge_fit.plots import save_gradient_noise

        save_gradient_noise(measured, plot)
