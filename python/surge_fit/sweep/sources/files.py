"""From a file to a frame of cells: CSV, TSV, JSONL and Parquet, with the line every run came from.

The cells of a text file stay text here, so that a message can quote what the file says. A text file is
streamed in blocks: rows of a wrong length and broken lines are found while they can still be named.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any

import numpy as np

import surge_fit.typing as typing
from surge_fit._support.wording import Source, listing, plural
from surge_fit.errors import SweepError
from surge_fit.sweep.sources.base import Frame, Table, frame_of_lists, stacked
from surge_fit.sweep.sources.frames import frame_of

_BLOCK = 50_000
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_KINDS = (*_SEPARATORS, *_JSON_LINES, ".parquet")


def read(location: str) -> Table:
    """Return the table of runs in a file; see `read_frame`."""
    return Table(*read_frame(location))


def read_frame(path: typing.Path) -> tuple[Frame, Source]:
    """Read a table of runs from a file, by the ending of its name.

    Parameters
    ----------
    path : path-like
        A ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson`` or ``.parquet`` file. Text is UTF-8, with or without
        a byte-order mark.

    Returns
    -------
    frame : Frame
        One row per run; text files give text cells.
    source : Source
        The file's name and the line of every run.

    Raises
    ------
    SweepError
        If the file is missing, of an unknown type, empty, not UTF-8, or not the table it should be.
    """
    file = Path(path)
    kind = file.suffix.lower()
    if not file.is_file():
        what = "is a folder" if file.is_dir() else "does not exist"
        msg = f"A table of runs must be a file; '{file}' {what}. Check the path."
        raise SweepError(msg)
    if kind not in _KINDS:
        msg = (
            f"The file of a table of runs must end in {', '.join(_KINDS[:-1])} or {_KINDS[-1]}; {file.name} "
            "does not. Save the table as one of these."
        )
        raise SweepError(msg)
    if file.stat().st_size == 0:
        msg = f"A table of runs must have a header and one line per run; {file.name} is empty."
        raise SweepError(msg)
    if kind == ".parquet":
        return _read_parquet(file)
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            blocks = _json_blocks(text, file.name) if kind in _JSON_LINES else _csv_blocks(text, file)
            return _collect(blocks, file.name)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(file) from error


def _read_parquet(file: Path) -> tuple[Frame, Source]:
    import polars as pl

    try:
        frame = pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        msg = f"{file.name} cannot be read as Parquet. Write the table again."
        raise SweepError(msg) from error
    source = Source(file.name, is_file=True)
    return frame_of(frame, source), source


def _collect(
    blocks: Iterable[tuple[dict[str, Sequence[Any]], Sequence[int]]], name: str
) -> tuple[Frame, Source]:
    columns, lines = stacked(blocks)
    if not lines:
        msg = f"A table of runs must have one line per run; there is none in {name}."
        raise SweepError(msg)
    frame = frame_of_lists(columns, len(lines))
    return frame, Source(name, np.array(lines, dtype=np.int64), is_file=True)


def _csv_blocks(text: Iterable[str], file: Path) -> Iterator[tuple[dict[str, Sequence[Any]], Sequence[int]]]:
    reader = csv.reader(text, delimiter=_SEPARATORS[file.suffix.lower()], strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        _require_header(header, file.name)
        line = reader.line_num + 1
        while rows := list(islice(reader, _BLOCK)):
            starts = _first_lines(rows, line, reader.line_num + 1)
            full, lines = _full_rows(rows, starts, len(header), file.name)
            if full:
                yield dict(zip(header, zip(*full, strict=True), strict=True)), lines
            line = reader.line_num + 1
    except csv.Error as error:
        msg = (
            f"Line {reader.line_num} of {file.name} is not valid CSV: {error}. "
            "Check the quotes of that line and of the lines above it."
        )
        raise SweepError(msg) from None


def _require_header(header: Sequence[str], name: str) -> None:
    if not any(header):
        msg = f"Line 1 of {name} must be the header; it is blank. Put the column names there."
        raise SweepError(msg)
    if any("\0" in cell for cell in header):
        msg = f"{name} must be UTF-8 text; it holds zero bytes, as UTF-16 does. Save it as UTF-8."
        raise SweepError(msg)
    twice = sorted({cell for cell in header if header.count(cell) > 1})
    if twice:
        msg = (
            f"The columns of {name} must have different names; {listing([repr(cell) for cell in twice])} "
            f"{'is' if len(twice) == 1 else 'are'} there more than once. Rename or drop the copies."
        )
        raise SweepError(msg)


def _first_lines(rows: Sequence[list[str]], first: int, end: int) -> Sequence[int]:
    """Return the line at which each row starts; a quoted cell may hold line breaks."""
    if end - first == len(rows):
        return range(first, end)
    breaks = (sum(cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in row) for row in rows)
    return list(accumulate((1 + count for count in breaks), initial=first))[:-1]


def _full_rows(
    rows: Sequence[list[str]], starts: Sequence[int], width: int, name: str
) -> tuple[Sequence[list[str]], Sequence[int]]:
    """Return the rows that are not blank, with their lines; refuse a row of another width."""
    if set(map(len, rows)) == {width}:
        return rows, starts
    held = [(row, line) for row, line in zip(rows, starts, strict=True) if row]
    for row, line in held:
        if len(row) != width:
            msg = (
                f"Every row of {name} must have {plural(width, 'cell')}, like the header; line {line} has "
                f"{len(row)}. Look for a missing, surplus or unquoted separator there."
            )
            raise SweepError(msg)
    return [row for row, _ in held], [line for _, line in held]


def _json_blocks(text: Iterable[str], name: str) -> Iterator[tuple[dict[str, Sequence[Any]], Sequence[int]]]:
    records = _json_records(text, name)
    while block := list(islice(records, _BLOCK)):
        lines, held = zip(*block, strict=True)
        keys = dict.fromkeys(chain.from_iterable(held))
        yield {key: [record.get(key) for record in held] for key in keys}, lines


def _json_records(text: Iterable[str], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
    for line, content in enumerate(text, start=1):
        if not content.strip():
            continue
        try:
            record = decoder.decode(content)
        except json.JSONDecodeError as error:
            msg = (
                f"Every line of {name} must be a JSON object; line {line} is not JSON ({error.msg}, "
                f"character {error.pos + 1}). Correct or drop that line."
            )
            raise SweepError(msg) from None
        if not isinstance(record, dict):
            msg = (
                f"Every line of {name} must be a JSON object, one per run; line {line} is "
                f"{content.strip()[:40]!r}. "
                'Write each run as {"batch_size": …, "learning_rate": …, "loss": …}.'
            )
            raise SweepError(msg)
        yield line, record


def _wrong_encoding(file: Path) -> SweepError:
    data = file.read_bytes()
    valid = data.decode("utf-8", errors="surrogateescape")
    first = next(index for index, letter in enumerate(valid) if "\udc80" <= letter <= "\udcff")
    guess = "it looks like UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "it may be Latin-1"
    return SweepError(
        f"{file.name} must be UTF-8 text; byte 0x{ord(valid[first]) - 0xDC00:02x} in line "
        f"{valid.count(chr(10), 0, first) + 1} is not, {guess}. Save the file as UTF-8."
    )
