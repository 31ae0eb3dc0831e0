"""The command ``laws``."""

from __future__ import annotations

import click

from surge_fit.cli.output import examples, show
from surge_fit.cli.parameters import json_option


@click.command(epilog=examples("surge-fit laws"))
@json_option
def laws(as_json: bool) -> None:
    """List the laws and where each holds.

    Shows the name, formula, parameters, regime and reference of every built-in law.
    """
    from surge_fit.law import LAWS
    from surge_fit.report import laws as report

    show(report, LAWS.values(), as_json=as_json)
