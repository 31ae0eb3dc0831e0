"""The command ``surge-fit``: its commands in the order of use, and its refusals."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from surge_fit._version import __version__
from surge_fit.cli.check import check
from surge_fit.cli.compare import compare
from surge_fit.cli.curve import curve
from surge_fit.cli.fit import fit
from surge_fit.cli.gradients import gradients
from surge_fit.cli.import_runs import import_runs
from surge_fit.cli.inspect import inspect
from surge_fit.cli.laws import laws
from surge_fit.cli.next_runs import next_runs
from surge_fit.cli.output import FAILED, STOPPED, examples
from surge_fit.cli.recommend import recommend
from surge_fit.errors import SurgeFitError


class _Group(click.Group):
    """Commands in the order they are listed, whose refusals are one line on stderr, without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        with _refusals(ctx):
            return super().invoke(ctx)


@contextmanager
def _refusals(context: click.Context) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        context.exit(STOPPED)
    except BrokenPipeError:
        raise
    except (SurgeFitError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        context.exit(FAILED)


@click.group(
    cls=_Group,
    name="surge-fit",
    commands=[recommend, next_runs, fit, compare, check, import_runs, laws, gradients, curve, inspect],
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
    epilog=examples("surge-fit recommend sweep.csv --batch-unit examples --batch-size 64,512,4096"),
)
@click.version_option(__version__, message="surge-fit %(version)s")
def app() -> None:
    """The learning rate for a batch size, and how sure we are.

    surge-fit reads a table of training runs (batch size, learning rate, loss), fits a law for the optimal
    learning rate with its uncertainty, and recommends a learning rate for any batch size. From a dump of
    gradients it measures their noise.
    """


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without √ or ≥ is no reason to fail
    app()
