"""Tables in binary files: Parquet, Arrow and Feather, spreadsheets."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

from surge_fit._support.wording import Source, listing
from surge_fit.errors import SweepError
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.sources.base import Table, frame_of_lists
from surge_fit.sweep.sources.frames import frame_of


def read_parquet(data: bytes, name: str) -> Table:
    """Read a Parquet file.

    Raises
    ------
    SweepError
        If it is none.
    """
    import polars as pl

    return _read_by_polars(pl.read_parquet, data, name, "Parquet")


def read_arrow(data: bytes, name: str) -> Table:
    """Read an Arrow or Feather file, or an Arrow stream.

    Raises
    ------
    SweepError
        If it is none.
    """
    import polars as pl

    read = pl.read_ipc if data.startswith(b"ARROW1") else pl.read_ipc_stream
    return _read_by_polars(read, data, name, "Arrow")


def _read_by_polars(read: Callable[[io.BytesIO], Any], data: bytes, name: str, kind: str) -> Table:
    import polars as pl

    try:
        frame = read(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        msg = f"{name} cannot be read as {kind}. Write the table again."
        raise SweepError(msg) from error
    source = Source(name, is_file=True)
    return Table(frame_of(frame, source), source)


def read_spreadsheet(data: bytes, name: str) -> Table:
    """Read the first sheet of a spreadsheet that has a header and a row.

    Raises
    ------
    SweepError
        If the reader of spreadsheets is not installed, the file is none, or no sheet has a table.
    """
    try:
        import openpyxl
    except ImportError:
        msg = f"{name} is a spreadsheet; to read it, install surge-fit[xlsx], or save the sheet as CSV."
        raise SweepError(msg) from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheets = {
            sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets
        }
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, SyntaxError) as error:
        msg = f"{name} cannot be read as a spreadsheet: {error}. Save the sheet as CSV."
        raise SweepError(msg) from error
    tables = {
        title: rows for title, rows in ((t, _table(rows)) for t, rows in sheets.items()) if len(rows) > 1
    }
    if not tables:
        msg = f"{name} must have a sheet with a header and a row per run; none has. Save the table as CSV."
        raise SweepError(msg)
    title, rows = next(iter(tables.items()))
    decisions = []
    if len(tables) > 1:
        others = listing([repr(other) for other in tables if other != title], 3)
        decisions.append(Decision("shape", f"The sheet '{title}' is read; {others} hold tables too.", True))
    header = [str(cell).strip() if cell is not None else "" for cell in rows[0]]
    columns: dict[str, list[Any]] = {}
    for place, text in enumerate(header):
        cells = [row[place] if place < len(row) else None for row in rows[1:]]
        if text in columns:
            msg = (
                f"The columns of {name} must have different names; {text!r} is there twice. Rename or drop "
                "one."
            )
            raise SweepError(msg)
        if text or any(cell is not None for cell in cells):
            columns[text or f"column {place + 1}"] = cells
    return Table(
        frame_of_lists(columns, len(rows) - 1), Source(name, is_file=True), decisions=tuple(decisions)
    )


def _table(rows: list[list[Any]]) -> list[list[Any]]:
    """Return the rows of a sheet without empty ones; what stands alone above the header is a title."""
    held = [row for row in rows if any(cell not in (None, "") for cell in row)]
    width = max((sum(cell not in (None, "") for cell in row) for row in held), default=0)
    while len(held) > 1 and width > 1 and sum(cell not in (None, "") for cell in held[0]) == 1:
        held = held[1:]
    return held
