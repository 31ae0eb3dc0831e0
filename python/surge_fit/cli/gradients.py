"""The command ``gradients``."""

from __future__ import annotations

from pathlib import Path

import click

from surge_fit.cli.dump_options import DumpOptions, dump_options, optional_dump_argument
from surge_fit.cli.options import options_given
from surge_fit.cli.output import examples, show
from surge_fit.cli.parameters import BATCH_SIZE, FILE, PATTERN, json_option, output_file, plot_option


@click.command(
    epilog=examples(
        "surge-fit gradients grads.safetensors",
        "surge-fit gradients 'rank*.pt' --microbatch-size 32 --group 'layers\\.(\\d+)\\.'",
        "surge-fit gradients step*/ --batch-size 512 --plot noise.png -o statistics.json",
        "surge-fit gradients --norms log.csv --microbatch-size 32 --batch-size 512",
    )
)
@optional_dump_argument
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
    "--norms",
    type=FILE,
    metavar="FILE",
    help="Instead of a dump, a log of gradient norms at two batch sizes (.csv, .tsv, .jsonl, .json, "
    ".parquet): columns micro_grad_norm and grad_norm, or grad_norm beside batch_size. --microbatch-size and "
    "--batch-size state what its columns do not.",
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
    norms: Path | None,
    per_parameter: Path | None,
    output: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure the gradient noise in a dump of gradients.

    Reports |G|², tr Σ and the simple noise scale tr Σ/|G|² with intervals, per tensor and in total, from
    per-example or micro-batch gradients. Files are memory-mapped rather than loaded, and pickles are never
    executed. Files from several checkpoints give a series. Where no gradients were kept, logged norms give
    the noise scale alone (--norms).
    """
    if norms is not None:
        _from_norms(norms, paths, dump_options.microbatch_size, batch_size, as_json)
        return
    if not paths:
        msg = "Missing argument 'PATH…': name files of gradients, or a log of gradient norms (--norms FILE)."
        raise click.UsageError(msg)
    from surge_fit.gradients.dump import open_checkpoints, read_labels
    from surge_fit.gradients.noise import gradient_statistics, save_statistics
    from surge_fit.report import gradients as report
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
        save_statistics(measured, output, **report.record(measured))
        click.echo(f"Saved {output}.", err=True)
    show(report, measured, as_json=as_json)
    if plot is not None:
        from surge_fit.plots import save_gradient_noise

        save_gradient_noise(measured, plot)


def _from_norms(
    file: Path,
    paths: tuple[str, ...],
    small: float | list[float] | None,
    big: float | None,
    as_json: bool,
) -> None:
    given = options_given()
    others = [*paths, *(flag for name, flag in given.items() if name not in _WITH_NORMS)]
    if others or isinstance(small, list):
        msg = (
            "--norms goes with one --microbatch-size, --batch-size and --json alone; leave out "
            f"{', '.join(others) or 'further micro-batch sizes'}."
        )
        raise click.UsageError(msg)
    from surge_fit.gradients.noise import noise_scale_from_norms, read_norm_log
    from surge_fit.report import logged_noise as report

    log = read_norm_log(file, small_batch_size=small, big_batch_size=big)
    noise = noise_scale_from_norms(
        log.small_batch_size, log.small_norm_squared, log.big_batch_size, log.big_norm_squared
    )
    show(report, noise, log, as_json=as_json)


_WITH_NORMS = ("norms", "microbatch_size", "batch_size", "as_json")
