"""The command ``inspect``."""

from __future__ import annotations

import click

from surge_fit.cli.dump_options import DumpOptions, dump_argument, dump_options
from surge_fit.cli.output import examples, show
from surge_fit.cli.parameters import json_option


@click.command(
    epilog=examples(
        "surge-fit inspect grads.safetensors",
        "surge-fit inspect 'rank*.pt' --json",
        "surge-fit inspect checkpoint-500/",
    ),
)
@dump_argument
@dump_options
@json_option
def inspect(paths: tuple[str, ...], dump_options: DumpOptions, as_json: bool) -> None:
    """Show what files hold, and how they would be read as gradients.

    Lists tensors, dtypes, shapes and rows. Of files that are no gradient dump (weights, the state of an
    optimizer, a broken file) it lists what is there, says what it looks like, and why it is none. Reads
    headers only, no gradients.
    """
    from surge_fit.errors import DumpError
    from surge_fit.gradients.dump import list_contents, open_checkpoints
    from surge_fit.report import dump, dump_contents

    try:
        dumps = open_checkpoints(paths, **vars(dump_options))
    except DumpError as error:
        files, problem = list_contents(paths, void_dtype=dump_options.void_dtype), str(error)
        show(dump_contents, files, problem, as_json=as_json)
    else:
        show(dump, dumps, as_json=as_json)
