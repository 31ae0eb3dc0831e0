"""The command ``check``."""

from __future__ import annotations

import click

from surge_fit.cli.output import FAILED, examples, show
from surge_fit.cli.parameters import json_option
from surge_fit.cli.sweep_options import SweepOptions, sweep_argument, sweep_options


@click.command(
    epilog=examples(
        "surge-fit check sweep.csv --batch-unit examples",
        "surge-fit check runs.csv --batch-unit sequences --group-by N,D --json",
    )
)
@sweep_argument
@sweep_options
@json_option
def check(path: str, sweep_options: SweepOptions, as_json: bool) -> None:
    """Summarize a sweep and what would weaken a fit of it.

    Exits with status 1 if the sweep cannot be fitted.
    """
    sweep = sweep_options.read(path)
    from surge_fit.report import sweep as report

    show(report, sweep, as_json=as_json)
    if any(finding.severity == "error" for finding in sweep.checks()):
        click.get_current_context().exit(FAILED)
