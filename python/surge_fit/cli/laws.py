"""The command ``laws``."""

from __future__ import annotations

import click

from surge_fit.cli.output import examples, terminal, write, write_json
from surge_fit.cli.parameters import json_option


@click.command(epilog=examples("surge-fit laws"))
@json_option
def laws(as_json: bool) -> None:
    """List the laws and where each holds.

    Shows the name, formula, parameters, regime and reference of every built-in law.
    """
    from surge_fit.law import LAWS
    from surge_fit.report import law_to_json, laws_to_text

    if as_json:
        write_json([law_to_json(law) for law in LAWS.values()])
    else:
        write(laws_to_text(LAWS.values(), **terminal()))
