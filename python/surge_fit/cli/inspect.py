"""The command ``inspect``."""

from __future__ import annotations

import click

from surge_fit.cli.dump_options import DumpOptions, dump_argument, dump_options
from surge_fit.cli.output import examples, terminal, write, write_json
from surge_fit.cli.parameters import json_option


@click.command(
    epilog=examples("surge-fit inspect grads.safetensors", "surge-fit inspect 'rank*.pt' --json"),
)
@dump_argument
@dump_options
@json_option
def inspect(paths: tuple[str, ...], dump_options: DumpOptions, as_json: bool) -> None:
    """Show what a gradient dump holds and how it would be read.

    Lists tensors, dtypes, shapes and rows. Reads headers only, no gradients.
    """
    from surge_fit.gradients.dump import open_checkpoints
    from surge_fit.report.gradient_records import dumps_to_json
    from surge_fit.report.gradients import dumps_to_text

    dumps = open_checkpoints(paths, **vars(dump_options))
    if as_json:
        write_json(dumps_to_json(dumps))
    else:
        write(dumps_to_text(dumps, **terminal()))
