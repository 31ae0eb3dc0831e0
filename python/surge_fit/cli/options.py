"""The options that several commands share, and what makes a value of theirs a usage error."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from surge_fit.sweep import Sweep

PLOT_SUFFIXES = (".png", ".svg", ".pdf")

# The same as in surge_fit.typing, which costs the import of NumPy; a test holds them equal.
BatchUnit = Literal["examples", "sequences", "tokens"]
Protocol = Literal["one_step", "fixed_steps", "fixed_tokens", "to_target"]


def suffixed(path: Path | None, suffixes: Sequence[str], what: str) -> Path | None:
    """Refuse a file that could not be written, before any work is done."""
    if path is None:
        return None
    if path.suffix.lower() not in suffixes:
        wanted = " or ".join(filter(None, (", ".join(suffixes[:-1]), suffixes[-1])))
        msg = f"{what} must end in {wanted}; got {str(path)!r}."
        raise typer.BadParameter(msg)
    if not path.parent.is_dir():
        msg = f"{what} must go into a folder that exists; {str(path.parent)!r} does not."
        raise typer.BadParameter(msg)
    if path.is_dir():
        msg = f"{what} must be a file; {str(path)!r} is a folder."
        raise typer.BadParameter(msg)
    return path


def plot_file(path: Path | None) -> Path | None:
    """Refuse a figure that could not be saved, before anything is fitted."""
    return suffixed(path, PLOT_SUFFIXES, "The figure")


def posterior_file(path: Path | None) -> Path | None:
    """Refuse a posterior that could not be saved, or not be recognised again, before anything is fitted."""
    return suffixed(path, (".nc",), "The posterior")


def known_law(name: str | None) -> str | None:
    """Refuse the name of no built-in law."""
    if name is not None:
        from surge_fit.errors import InputError
        from surge_fit.law import get_law

        try:
            get_law(name)
        except InputError as error:
            raise typer.BadParameter(str(error)) from None
    return name


def known_laws(names: list[str] | None) -> list[str] | None:
    """Refuse names of no built-in law, a name given twice, and one law alone."""
    for name in names or ():
        known_law(name)
    if names and (len(names) < 2 or len(set(names)) < len(names)):
        msg = f"must name two or more laws, each once; got {', '.join(names)}."
        raise typer.BadParameter(msg)
    return names


def positive(value: float | None) -> float | None:
    """Refuse what is no learning rate."""
    if value is not None and not (math.isfinite(value) and value > 0):
        msg = f"must be a positive number; got {value:g}."
        raise typer.BadParameter(msg)
    return value


def batch_sizes(given: Sequence[str]) -> list[float]:
    """Parse ``64,512`` and repetitions of the option; refuse what is no batch size, by name."""
    words = [word.strip() for text in given for word in text.split(",")]
    return [_batch_size(word) for word in words]


def _batch_size(word: str) -> float:
    try:
        size = float(word)
    except ValueError:
        size = math.nan
    if not (math.isfinite(size) and size > 0):
        msg = f"a batch size must be a positive number such as 512 or 1e6; got {word!r}."
        raise typer.BadParameter(
            msg,
            param_hint="'--batch-size'",
        )
    return size


def regular_expressions(given: Sequence[str] | None) -> list[str]:
    """Refuse what is no regular expression."""
    for pattern in given or ():
        try:
            re.compile(pattern)
        except re.error as error:
            msg = f"must be a regular expression such as 'layers\\.(\\d+)\\.'; {pattern!r} is none: {error}."
            raise typer.BadParameter(
                msg,
                param_hint="'--group'",
            ) from None
    return list(given or ())


def columns_of(given: Sequence[str] | None) -> dict[str, str]:
    """Parse ``loss=smooth loss`` and repetitions of the option."""
    pairs = [text.partition("=") for text in given or ()]
    for name, _, header in pairs:
        if not (name.strip() and header.strip()):
            msg = f"must be NAME=HEADER, such as loss='smooth loss'; got {name!r}."
            raise typer.BadParameter(msg, param_hint="'--column'")
    return {name.strip(): header.strip() for name, _, header in pairs}


def read(
    path: Path,
    columns: dict[str, str],
    batch_unit: BatchUnit | None,
    protocol: Protocol | None,
    group_by: str | None,
    group: str | None,
) -> Sweep:
    """Read the table of runs as the options say."""
    from surge_fit.sweep import read_sweep

    names = names_of(group_by)
    sweep = read_sweep(
        path, columns=columns, batch_unit=batch_unit, protocol=protocol, group_by=names or None
    )
    return sweep if group is None else sweep.select(group_meant(group, sweep))


def group_meant(text: str, sweep: Sweep) -> str | dict[str, str]:
    """Read ``N=2e8, D=1e11`` as the label of a group or, where there is none, as columns and values."""
    pairs = [part.partition("=") for part in text.split(",")]
    if text in sweep.groups or not all(separator for _, separator, _ in pairs):
        return text
    return {name.strip(): value.strip() for name, _, value in pairs}


def names_of(given: str | None) -> tuple[str, ...]:
    """Parse ``params,tokens``."""
    return tuple(name.strip() for name in (given or "").split(",") if name.strip())


SweepArgument = Annotated[
    Path, typer.Argument(metavar="SWEEP", help="Table of runs: .csv, .tsv, .jsonl or .parquet.")
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", callback=posterior_file, metavar="FILE.nc", help="Save the posterior."),
]
LawOption = Annotated[
    str | None,
    typer.Option(
        callback=known_law, metavar="NAME", help="Law to fit; see `surge-fit laws`. [default: broken_power]"
    ),
]
LawsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--law",
        callback=known_laws,
        metavar="NAME",
        help="A law to compare; repeatable, see `surge-fit laws`. [default: eight of them]",
    ),
]
BatchUnitOption = Annotated[
    BatchUnit | None,
    typer.Option(help="What the batch size counts, unless the table says it. Never guessed."),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=HEADER", help="Which header is a column; repeatable: loss='smooth loss'."),
]
ProtocolOption = Annotated[Protocol | None, typer.Option(help="What was held fixed between the runs.")]
GroupByOption = Annotated[
    str | None,
    typer.Option(metavar="N,D,…", help="Columns whose joint value makes a group, such as a model size."),
]
GroupOption = Annotated[
    str | None,
    typer.Option(
        metavar="'N=…, D=…'",
        help="Take this group's runs alone, before anything else; `surge-fit check` lists the groups.",
    ),
]
CovariatesOption = Annotated[
    str | None,
    typer.Option(
        metavar="N,D,…",
        help="Columns of positive numbers that the groups, all fitted together, may follow. Make groups of "
        "themselves where --group-by does not.",
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option(
        metavar="'N=…, D=…'",
        help="Of all groups fitted together, the one to tell of: one that was run, or the covariates of one "
        "that never was.",
    ),
]
GradientsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="Gradient noise that `surge-fit gradients -o` saved: a weak prior of the noise scale.",
    ),
]
CurveOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json",
        help="Learning-rate curve that `surge-fit curve -o` saved: where it bends is a weak prior of the "
        "noise scale.",
    ),
]
SeedOption = Annotated[
    int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of the sampler. [default: 0]")
]
EngineName = Literal["auto", "native", "pymc"]
EngineOption = Annotated[
    EngineName | None,
    typer.Option(help="What samples: the native engine has every built-in law. [default: auto]"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
