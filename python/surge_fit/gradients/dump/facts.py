"""What files and callers say of the gradients: reduction, micro-batches, scale, clipping, groups."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from surge_fit.errors import DumpError, InputError
from surge_fit.gradients.dump.sources import Source
from surge_fit.typing import FloatArray

Value = TypeVar("Value")

_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


def stated(
    key: str, parse: Callable[[str], Value], option: Value | None, sources: Sequence[Source]
) -> tuple[Value | None, str | None]:
    """Settle one fact: the caller's word, or that of the files, which must agree.

    Parameters
    ----------
    key : str
        Of the files' metadata.
    parse : callable
        Text → value; raises ValueError that says what must hold.
    option : value or None
        The caller's word.
    sources : sequence of Source

    Returns
    -------
    value or None
    note : str or None
        A sentence where the caller overrules the files.

    Raises
    ------
    DumpError
        If a file's word cannot be understood, or two files contradict each other.
    """
    said = [(source.label, parsed(source, key, parse)) for source in sources if key in source.metadata]
    if option is not None:
        other = next((f"{value!r} in '{label}'" for label, value in said if value != option), None)
        return option, other and f"{key} is {option!r} as you say, against {other}."
    for label, value in said:
        if value != said[0][1]:
            msg = (
                f"Files of one dump must agree; '{said[0][0]}' says {key} = {said[0][1]!r}, '{label}' says "
                f"{value!r}. Pass files of one run, or state {key} yourself."
            )
            raise DumpError(msg)
    return (said[0][1] if said else None), None


def parsed(source: Source, key: str, parse: Callable[[str], Value]) -> Value:
    """Parse one fact of one source's metadata.

    Parameters
    ----------
    source : Source
    key : str
    parse : callable

    Returns
    -------
    value

    Raises
    ------
    DumpError
        If it cannot be understood.
    """
    text = source.metadata[key]
    try:
        return parse(text)
    except ValueError as error:
        msg = (
            f"'{source.label}', metadata '{key}': {error}; found {text[:40]!r}. Correct it, or state "
            f"{key} yourself."
        )
        raise DumpError(msg) from None


def one_of(*allowed: str) -> Callable[[str], Any]:
    """Parse one of a few words."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            msg = f"must be one of {', '.join(allowed)}"
            raise ValueError(msg)
        return text.lower()

    return parse


def flag(text: str) -> bool:
    """Parse true or false."""
    word = text.lower()
    if word not in (*_TRUE, *_FALSE):
        msg = "must be true or false"
        raise ValueError(msg)
    return word in _TRUE


def positive(text: str) -> float:
    """Parse a positive finite number."""
    number = finite(text)
    if number <= 0:
        msg = "must be positive"
        raise ValueError(msg)
    return number


def finite(text: str) -> float:
    """Parse a finite number."""
    try:
        number = float(text)
    except ValueError:
        msg = "must be a number"
        raise ValueError(msg) from None
    if not math.isfinite(number):
        msg = "must be finite"
        raise ValueError(msg)
    return number


def finite_or_list(text: str) -> float:
    """Parse a finite number, or take the mean of a JSON list of them: a loss, or a step, of every row."""
    if not text.lstrip().startswith("["):
        return finite(text)
    try:
        numbers = [finite(str(item)) for item in json.loads(text)]
    except json.JSONDecodeError:
        numbers = []
    if not numbers:
        msg = "must be a number or a JSON list of numbers"
        raise ValueError(msg)
    return math.fsum(numbers) / len(numbers)


def per_row(
    key: str, parse: Callable[[str], Value], sources: Sequence[Source], rows: Sequence[tuple[str, int]]
) -> list[Value] | None:
    """Read a fact that may differ between rows: one word per file, or a JSON list with one per row.

    Parameters
    ----------
    key : str
    parse : callable
    sources : sequence of Source
    rows : sequence of (str, int)
        Label and rows of every file.

    Returns
    -------
    list or None
        One value per row; None where no file says anything.

    Raises
    ------
    DumpError
        If some files say it and others do not, or a list has another length than the file has rows.
    """
    by_label = {source.label: source for source in sources}
    lacking = [label for label, _ in rows if key not in by_label[label].metadata]
    if len(lacking) == len(rows):
        return None
    if lacking:
        having = next(label for label, _ in rows if label not in lacking)
        msg = (
            f"Files of one dump must agree; '{having}' says {key}, '{lacking[0]}' does not. State {key} "
            "yourself."
        )
        raise DumpError(msg)
    found: list[Value] = []
    for label, count in rows:
        text = by_label[label].metadata[key]
        if text.lstrip().startswith("["):
            values = parsed(by_label[label], key, _json_list(parse, count))
            found += values
        else:
            found += [parsed(by_label[label], key, parse)] * count
    return found


def _json_list(parse: Callable[[str], Value], count: int) -> Callable[[str], list[Value]]:
    def parse_list(text: str) -> list[Value]:
        try:
            items = json.loads(text)
        except json.JSONDecodeError:
            msg = "must be a value or a JSON list"
            raise ValueError(msg) from None
        if not isinstance(items, list) or len(items) != count:
            msg = f"must have one value for each of the {count} rows"
            raise ValueError(msg)
        return [parse(str(item)) for item in items]

    return parse_list


def as_microbatch_sizes(option: Any, rows: int) -> FloatArray:
    """Check the caller's micro-batch sizes.

    Parameters
    ----------
    option : float or sequence of float
        Examples in each row.
    rows : int

    Returns
    -------
    ndarray, shape (row,)

    Raises
    ------
    InputError
        If they are not positive numbers, one for all or one for each row.
    """
    sizes = np.asarray(option, dtype=np.float64)
    if sizes.ndim > 1 or (sizes.ndim == 1 and len(sizes) != rows):
        msg = (
            f"'microbatch_size' must be one number or one for each of the {rows} rows; got shape "
            f"{sizes.shape}."
        )
        raise InputError(msg)
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        msg = "'microbatch_size' must be positive: the number of examples whose mean a row is."
        raise InputError(msg)
    return np.broadcast_to(sizes, rows).astype(np.float64)


def as_row_groups(option: Sequence[Any], rows: int) -> tuple[str, ...]:
    """Check the caller's labels of correlated rows.

    Parameters
    ----------
    option : sequence
    rows : int

    Returns
    -------
    tuple of str

    Raises
    ------
    InputError
        If there is not one label for each row, or fewer than two different ones.
    """
    labels = tuple(map(str, option))
    if len(labels) != rows:
        msg = f"'row_groups' must have one label for each of the {rows} rows; got {len(labels)}."
        raise InputError(msg)
    if len(set(labels)) < 2:
        msg = "'row_groups' must have at least two different labels; noise is seen between groups."
        raise InputError(msg)
    return labels
