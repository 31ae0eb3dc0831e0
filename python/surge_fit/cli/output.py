"""How a command shows its result, and the exit codes."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

FAILED, STOPPED = 1, 130


def terminal() -> dict[str, Any]:
    """Width and colour of stdout: plain aligned text of full width where it is not a terminal."""
    from rich.console import Console

    console = Console()
    if not sys.stdout.isatty():
        return {"color": False}
    return {"width": console.width, "color": not console.no_color and not console.is_dumb_terminal}


def write(text: str) -> None:
    """Print a text to stdout as it is, colours and all."""
    click.echo(text, nl=False, color=True)


def write_json(value: object) -> None:
    """Print a value to stdout as strict JSON."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


def examples(*lines: str) -> str:
    """Write the end of a help text; the mark keeps its lines from being wrapped."""
    return "\n".join(("\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)))
