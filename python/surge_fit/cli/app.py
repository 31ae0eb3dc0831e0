"""The frame of the command line: the application, its refusals, and how it tells a result."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from surge_fit._version import __version__
from surge_fit.errors import SurgeFitError

FAILED, STOPPED = 1, 130
_COMMANDS = ("recommend", "next", "fit", "compare", "check", "laws", "gradients", "curve", "inspect")


class _Group(TyperGroup):
    """Commands in the order of use, whose refusals are one line on stderr, without a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(super().list_commands(ctx), key=_COMMANDS.index)

    def invoke(self, ctx: Any) -> Any:
        with _refusals():
            return super().invoke(ctx)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("Stopped.", err=True)
        raise typer.Exit(STOPPED) from None
    except BrokenPipeError:
        raise
    except (SurgeFitError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(FAILED) from None


def examples(*lines: str) -> str:
    """Write the end of a help text; the mark keeps its lines from being wrapped."""
    return "\n".join(("\b", "Example:" if len(lines) == 1 else "Examples:", *(f"  {line}" for line in lines)))


app = typer.Typer(
    name="surge-fit",
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without √ or ≥ is no reason to fail
    app()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"surge-fit {__version__}")
        raise typer.Exit


@app.callback(
    epilog=examples(
        "surge-fit recommend sweep.csv --batch-unit examples --batch-size 64,512,4096",
    )
)
def _surge_fit(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """The learning rate for a batch size, and how sure we are.

    surge-fit reads a table of training runs (batch size, learning rate, loss), fits a law of the optimal
    learning rate with its uncertainty, and recommends a rate for any batch size. From a dump of gradients
    it measures their noise.
    """


def terminal() -> dict[str, Any]:
    """Width and colour of stdout: plain aligned text of full width where it is not a terminal."""
    from rich.console import Console

    console = Console()
    if not sys.stdout.isatty():
        return {"color": False}
    return {"width": console.width, "color": not console.no_color and not console.is_dumb_terminal}


def tell(text: str) -> None:
    """Print a text to stdout as it is, colours and all."""
    typer.echo(text, nl=False, color=True)


def show(value: object) -> None:
    """Print a value to stdout as strict JSON."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))
