"""How a table of runs is to be read: the options of every command that takes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from surge_fit.cli.options import option, takes
from surge_fit.cli.parameters import COLUMN, NAMES

if TYPE_CHECKING:
    from surge_fit.sweep import Sweep
    from surge_fit.typing import BatchUnit, NanMeaning, Progress, Protocol

# The same as in surge_fit.typing, which costs the import of NumPy; a test holds them equal.
BATCH_UNITS = ("examples", "sequences", "tokens")
PROTOCOLS = ("one_step", "fixed_steps", "fixed_tokens", "to_target")
NAN_MEANINGS = ("diverged", "crashed")


@dataclass(frozen=True)
class SweepOptions:
    """What the command line says about a table of runs.

    Each field is an option of every command that reads a table: a new field, which `read` hands on, is a new
    option of them all.

    Attributes
    ----------
    batch_unit : {"examples", "sequences", "tokens"}, optional
    column : tuple of (str, str)
        Canonical names and the headers that stand for them.
    protocol : {"one_step", "fixed_steps", "fixed_tokens", "to_target"}, optional
    group_by : tuple of str
    group : str, optional
        The label of a group, or ``N=…, D=…``.
    maximize : bool, optional
    nan_loss : {"diverged", "crashed"}, optional
    where : tuple of str
        Conditions that runs must meet, such as ``optimizer=adamw``.
    verbose : bool
        Whether to tell on stderr what was decided while the table was read.
    """

    batch_unit: BatchUnit | None = option(
        type=click.Choice(BATCH_UNITS),
        help="What the batch size counts. Required unless the table says so; never guessed.",
    )
    column: tuple[tuple[str, str], ...] = option(
        type=COLUMN,
        multiple=True,
        default=(),
        metavar="NAME=HEADER",
        help="Header to use for a column, such as loss='smooth loss'; repeatable.",
    )
    protocol: Protocol | None = option(
        type=click.Choice(PROTOCOLS), help="What was held fixed across the runs."
    )
    group_by: tuple[str, ...] = option(
        type=NAMES,
        default=(),
        metavar="N,D,…",
        help="Columns whose values together define a group, such as the model size.",
    )
    group: str | None = option(
        metavar="'N=…, D=…'",
        help="Use the runs of this group only; `surge-fit check` lists the groups.",
    )
    maximize: bool | None = option(
        is_flag=True,
        default=None,
        help="More of the metric is better, as of an accuracy; its distance from the best is the loss.",
    )
    nan_loss: NanMeaning | None = option(
        type=click.Choice(NAN_MEANINGS),
        help="What a loss of NaN without a status means. Such runs are left out unless this is given.",
    )
    where: tuple[str, ...] = option(
        multiple=True,
        default=(),
        metavar="COLUMN=VALUE",
        help="Use only runs that meet this, also with != < <= > >=, such as 'steps>=1000'; repeatable.",
    )
    verbose: bool = option(
        "--verbose", "-v", is_flag=True, default=False, help="Show how the table was read, on stderr."
    )

    def read(self, path: str, covariates: Sequence[str] = (), progress: Progress | None = None) -> Sweep:
        """Read the runs; covariates make groups where `group_by` does not."""
        from surge_fit.sweep import read_sweep

        sweep = read_sweep(
            path,
            columns=dict(self.column),
            batch_unit=self.batch_unit,
            protocol=self.protocol,
            group_by=self.group_by or tuple(covariates) or None,
            maximize=self.maximize,
            nan_loss=self.nan_loss,
            where=self.where,
            progress=progress,
        )
        if self.verbose:
            for decision in sweep.reading:
                click.echo(f"Read: {decision.message}", err=True)
        return sweep if self.group is None else sweep.select(group_named(self.group, sweep))


sweep_options = takes(SweepOptions, "sweep_options")
sweep_argument = click.argument(
    "path",
    metavar="SWEEP",
    help="Table of runs (.csv, .json, .parquet, .xlsx and others; - for standard input), or whatever "
    "`surge-fit import` takes: a folder of runs, a database, wandb:entity/project.",
)


def group_named(text: str, sweep: Sweep) -> str | dict[str, str]:
    """Read ``N=2e8, D=1e11`` as the label of a group or, where there is none, as columns and values."""
    pairs = [part.partition("=") for part in text.split(",")]
    if text in sweep.groups or not all(separator for _, separator, _ in pairs):
        return text
    return {name.strip(): value.strip() for name, _, value in pairs}
