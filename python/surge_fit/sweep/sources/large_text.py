"""Large text tables, through polars where they are clean."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from surge_fit._support.wording import Source
from surge_fit.sweep.schema import ALL_COLUMNS
from surge_fit.sweep.sources.base import Cells, Frame, Numbers, Table
from surge_fit.sweep.table.headers import read_header

if TYPE_CHECKING:
    import polars as pl


def read_large(rows: str, header: Sequence[str], separator: str, first_line: int, name: str) -> Table | None:
    """Read the rows of a text table, or return None where they are not clean.

    Clean are rows of equal width without quotes, blank lines and comments, under headers that differ: then a
    row is a line, and the careful reader would find the same.

    Parameters
    ----------
    rows : str
        The text below the header.
    header : sequence of str
    separator : str
        One letter.
    first_line : int
        Line of the first row.
    name : str
        For messages.
    """
    if '"' in rows or "#" in rows or "\n\n" in rows or "\r" in rows or not all(header):
        return None
    if len(set(header)) < len(header):
        return None
    import polars as pl

    try:
        frame = pl.read_csv(
            rows.encode(),
            separator=separator,
            has_header=False,
            schema={title: _kind_of(title) for title in header},
            quote_char=None,
        )
    except pl.exceptions.PolarsError:  # a number that polars does not read, or a row that is too long
        return None
    if frame.width != len(header) or frame.height != rows.count("\n") + (not rows.endswith("\n")):
        return None
    if rows.count(separator) != frame.height * (frame.width - 1):  # a short row is filled up in silence
        return None
    cells = {
        column: Cells(column, partial(_written, frame[column]), partial(_numbers, frame[column]))
        for column in frame.columns
    }
    lines = np.arange(first_line, first_line + frame.height, dtype=np.int64)
    return Table(Frame(cells, frame.height), Source(name, lines, is_file=True))


def _written(series: "pl.Series") -> list[Any]:
    return series.to_list()


def _numbers(series: "pl.Series") -> Numbers | None:
    """Return the numbers of a column that polars read as such; None for one of text."""
    if not series.dtype.is_float():
        return None
    blank = series.is_null().to_numpy()
    return Numbers(series.fill_null(float("nan")).to_numpy() if blank.any() else series.to_numpy(), blank)


def _kind_of(header: str) -> "type[pl.Float64 | pl.String]":
    """Return what polars is to read a column as: numbers where its header means some, else text."""
    import polars as pl

    meaning = read_header(header).meaning
    is_number = any(column.name == meaning and not column.is_text for column in ALL_COLUMNS)
    return pl.Float64 if is_number else pl.String
