"""How a command shows its result, and the exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, Protocol

import click

FAILED, STOPPED = 1, 130


def terminal() -> dict[str, Any]:
    """Width and colour of stdout: plain aligned text of full width where it is not a terminal."""
    from rich.console import Console

    console = Console()
    if not sys.stdout.isatty():
        return {"color": False}
    return {"width": console.width, "color": not console.no_color and not console.is_dumb_terminal}


class ReportModule(Protocol):
    """A file of `surge_fit.report`: how one kind of result is told."""

    @property
    def blocks(self) -> Callable[..., list[Any]]:
        """Return text of a result."""

    @property
    def record(self) -> Callable[..., Any]:
        """Return a result for strict JSON."""


def show(report: ReportModule, *result: object, as_json: bool, **options: bool) -> None:
    """Print a result to stdout, as strict JSON or as text.

    Parameters
    ----------
    report : module
        The file of `surge_fit.report` that tells such a result.
    *result : object
        With what belongs to it.
    as_json : bool
    **options : bool
        Of ``report.blocks``: what to tell as well.
    """
    if as_json:
        click.echo(json.dumps(report.record(*result), indent=2, allow_nan=False))
        return
    from surge_fit.report.blocks import render

    write(render(report.blocks(*result, **options), **terminal()))


def write(text: str) -> None:
    """Print a text to stdout as it is, colours and all."""
    click.echo(text, nl=False, color=True)


def examples(*lines: str) -> str:
    """Write the end of a help text; the mark keeps its lines from being wrapped."""
    return "\n".join(("\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)))
