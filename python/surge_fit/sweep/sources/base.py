"""What every source hands over: columns of cells by their headers, and where they came from."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import Source
from surge_fit.sweep.decisions import Decision
from surge_fit.typing import FloatArray, NanMeaning


class Numbers(NamedTuple):
    """The numbers of a column, and which of its cells were blank (NaN among the numbers)."""

    values: FloatArray
    blank: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """One column as its table has it.

    Attributes
    ----------
    name : str
        Its header.
    written : callable
        Returns the cells: text or whatever else the table holds, None where it holds nothing.
    numbers : callable or None
        Returns the cells of a column of numbers, None where a cell is anything else; None itself where the
        column is not one by its type.
    """

    name: str
    written: Callable[[], Sequence[Any]]
    numbers: Callable[[], Numbers | None] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Columns of equally many cells, by their headers.

    Attributes
    ----------
    cells : dict of str to Cells
    count : int
        Cells of each column.
    """

    cells: dict[str, Cells]
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table of runs as a source has it, before anything is read into its headers and cells.

    Attributes
    ----------
    frame : Frame
        One row per run, or per step of a run. Everything the source knows of a run is a column: its name, its
        status in the source's own words (a column ``status``), its configuration, its metrics.
    source : Source
        Where it came from, for messages.
    columns : mapping of str to str
        Canonical name → header, where the source knows the meaning of a header.
    maximize : bool or None
        Whether more of the metric is better, where the source says so; None where it does not.
    nan_loss : {"diverged", "crashed"} or None
        What a loss of NaN means, where the source says so.
    decisions : tuple of Decision
        What the source decided itself, such as runs without a record that it left out.
    """

    frame: Frame
    source: Source
    columns: Mapping[str, str] = field(default_factory=dict)
    maximize: bool | None = None
    nan_loss: NanMeaning | None = None
    decisions: tuple[Decision, ...] = ()


def frame_of_records(records: Iterable[Mapping[str, Any]]) -> Frame:
    """Put records one below the other.

    Parameters
    ----------
    records : iterable of mapping
        Header → cell, one record per row. A mapping within a record is opened: its keys become headers
        ``outer.inner``. A header that a record lacks is a blank cell there.

    Returns
    -------
    Frame
    """
    columns: dict[str, list[Any]] = {}
    count = 0
    for record in records:
        flat = dict(flattened(record))
        for header in flat:
            if header not in columns:
                columns[header] = [None] * count
        for header, cells in columns.items():
            cells.append(flat.get(header))
        count += 1
    return frame_of_lists(columns, count)


def frame_of_lists(columns: Mapping[str, list[Any]], count: int) -> Frame:
    """Put lists of equally many cells side by side."""
    return Frame({header: cells_of(header, cells) for header, cells in columns.items()}, count)


def cells_of(header: str, cells: list[Any]) -> Cells:
    """Return a list of cells as a column."""
    return Cells(header, lambda: cells)


def flattened(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested mappings with the dotted path to each."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def stacked(
    blocks: Iterable[tuple[Mapping[str, Sequence[Any]], Sequence[int]]],
) -> tuple[dict[str, list[Any]], list[int]]:
    """Put blocks of columns one below the other; a column that a block lacks is blank there.

    Parameters
    ----------
    blocks : iterable of (mapping of str to sequence, sequence of int)
        Columns of each block, and the line at which each of its rows starts.
    """
    columns: dict[str, list[Any]] = {}
    lines: list[int] = []
    for block, starts in blocks:
        for header in block:
            columns.setdefault(header, [None] * len(lines))
        for header, cells in columns.items():
            cells.extend(block.get(header, repeat(None, len(starts))))
        lines.extend(starts)
    return columns, lines
