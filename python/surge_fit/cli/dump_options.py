"""What the rows of a gradient dump are: the options of every command that opens one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import click

from surge_fit.cli.options import option, takes
from surge_fit.cli.parameters import MICROBATCH_SIZES, PATTERN, POSITIVE


@dataclass(frozen=True)
class DumpOptions:
    """What the command line says about a gradient dump, by the names that `surge_fit.open_dump` takes.

    Each field is an option of every command that opens a dump: a new field is a new option of them all.

    Attributes
    ----------
    only, leave_out : tuple of str
    layout : {"examples", "rows", "items"}, optional
    microbatch_size : float or list of float, optional
    loss_reduction : {"none", "mean", "sum"}, optional
    loss_scale : float, optional
    clipped : bool, optional
    absent : {"zero", "missing"}, optional
    void_dtype : {"bfloat16"}, optional
    """

    only: tuple[str, ...] = option(
        type=PATTERN,
        multiple=True,
        default=(),
        metavar="REGEX",
        help="Take only the arrays in whose names this is found; repeatable.",
    )
    leave_out: tuple[str, ...] = option(
        type=PATTERN,
        multiple=True,
        default=(),
        metavar="REGEX",
        help="Leave out the arrays in whose names this is found (losses, labels); repeatable.",
    )
    layout: Literal["examples", "rows", "items"] | None = option(
        type=click.Choice(("examples", "rows", "items")),
        help="examples: along the first axis of every array; rows: one file per row; items: one item of a "
        "list per row.",
    )
    microbatch_size: float | list[float] | None = option(
        type=MICROBATCH_SIZES,
        metavar="B|B,B,…",
        help="Number of examples each row averages: one number for all rows, or one per row.",
    )
    loss_reduction: Literal["none", "mean", "sum"] | None = option(
        type=click.Choice(("none", "mean", "sum")),
        help="How the loss was reduced: a row is g_k (none), g_k/N (mean), or a sum over its examples (sum).",
    )
    loss_scale: float | None = option(type=POSITIVE, metavar="S", help="Factor by which the loss was scaled.")
    clipped: bool | None = option("--clipped/--not-clipped", help="Whether the gradients were clipped.")
    absent: Literal["zero", "missing"] | None = option(
        type=click.Choice(("zero", "missing")),
        help="What it means that a row has no gradient for a tensor (embeddings, experts).",
    )
    void_dtype: Literal["bfloat16"] | None = option(
        type=click.Choice(("bfloat16",)), help="What 2-byte void values in .npy files are."
    )


dump_options = takes(DumpOptions, "dump_options")
_paths = partial(
    click.argument,
    "paths",
    nargs=-1,
    metavar="PATH…",
    help="Files, folders or patterns: .safetensors, .index.json, .npy, .npz, .pt, .pth, raw with a JSON "
    "sidecar, .h5, .zarr, an index of bergson, a store of TRAK.",
)
dump_argument = _paths(required=True)
optional_dump_argument = _paths(required=False)
