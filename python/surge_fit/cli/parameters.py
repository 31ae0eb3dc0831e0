"""Parameter types, which refuse a wrong value before any work is done, and options of several commands."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import click

T = TypeVar("T")


class Parsed(click.ParamType[Any]):
    """Words that a function turns into a value, or refuses with a `ValueError` that says what must hold."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn a word into a value; a default is one already."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def output_file(what: str, *suffixes: str) -> Parsed:
    """Make the type of a file to write; refuses other suffixes, and folders that do not exist."""

    def parse(word: str) -> Path:
        path = Path(word)
        if path.suffix.lower() not in suffixes:
            wanted = " or ".join(filter(None, (", ".join(suffixes[:-1]), suffixes[-1])))
            msg = f"{what} must end in {wanted}; got {word!r}."
            raise ValueError(msg)
        if not path.parent.is_dir():
            msg = f"{what} must go into a folder that exists; {str(path.parent)!r} does not."
            raise ValueError(msg)
        if path.is_dir():
            msg = f"{what} must be a file; {word!r} is a folder."
            raise ValueError(msg)
        return path

    return Parsed("file", parse)


def _law(name: str) -> str:
    from surge_fit.law import get_law

    return get_law(name).name


def _positive_number(word: str) -> float:
    value = _number(word)
    if not (math.isfinite(value) and value > 0):
        msg = f"must be a positive number; got {word}."
        raise ValueError(msg)
    return value


def _batch_sizes(text: str) -> tuple[float, ...]:
    sizes = tuple((word.strip(), _number(word)) for word in text.split(","))
    for word, size in sizes:
        if not (math.isfinite(size) and size > 0):
            msg = f"a batch size must be a positive number such as 512 or 1e6; got {word!r}."
            raise ValueError(msg)
    return tuple(size for _, size in sizes)


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def _one_batch_size(text: str) -> float:
    sizes = _batch_sizes(text)
    if len(sizes) > 1:
        msg = f"must be one batch size; got {text!r}."
        raise ValueError(msg)
    return sizes[0]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _column(text: str) -> tuple[str, str]:
    name, _, header = text.partition("=")
    if not (name.strip() and header.strip()):
        msg = f"must be NAME=HEADER, such as loss='smooth loss'; got {text!r}."
        raise ValueError(msg)
    return name.strip(), header.strip()


def _microbatch_sizes(text: str) -> float | list[float]:
    sizes = [_number(word) for word in text.split(",")]
    if any(math.isnan(size) for size in sizes):
        msg = f"must be a number of examples, or one for each row: 32 or 32,32,16; got {text!r}."
        raise ValueError(msg)
    return sizes[0] if len(sizes) == 1 else sizes


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        msg = f"must be a regular expression such as 'layers\\.(\\d+)\\.'; {text!r} is not: {error}."
        raise ValueError(msg) from None
    return text


LAW = Parsed("law", _law)
POSITIVE = Parsed("positive number", _positive_number)
BATCH_SIZES = Parsed("batch sizes", _batch_sizes)
BATCH_SIZE = Parsed("batch size", _one_batch_size)
NAMES = Parsed("names", _names)
COLUMN = Parsed("column", _column)
MICROBATCH_SIZES = Parsed("micro-batch sizes", _microbatch_sizes)
PATTERN = Parsed("regular expression", _pattern)
SEED = click.IntRange(0, 2**32 - 1)
FILE = click.Path(path_type=Path)


def joined(_context: click.Context, _option: click.Parameter, given: Iterable[Sequence[T]]) -> tuple[T, ...]:
    """Join what the repetitions of an option list (a callback)."""
    return tuple(chain.from_iterable(given))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
plot_option = click.option(
    "--plot",
    type=output_file("The figure", ".png", ".svg", ".pdf"),
    metavar="FILE",
    help="Save a figure as .png, .svg or .pdf.",
)
