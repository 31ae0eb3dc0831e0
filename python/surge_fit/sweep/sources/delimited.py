"""Text tables whose cells stand between separators: CSV and its dialects, and columns set with spaces.

The cells stay text here, so that a message can quote what the file says.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from typing import NamedTuple

import numpy as np

from surge_fit._support.wording import Source, listing, plural
from surge_fit.errors import SweepError
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.sources.base import Table, frame_of_lists, stacked
from surge_fit.sweep.sources.large_text import read_large

_BLOCK = 50_000
_SAMPLE = 50
_SEPARATORS = (",", "\t", ";", "|")
_LARGE = 4_000_000
"""Bytes from which a clean file goes through polars."""

_HEAD = 1_000_000
"""Letters among which the header and the separator are looked for."""

_MOST_RAGGED = 0.5
_STATED = re.compile(r"^sep=(.)\r?\n", re.I)
_COMMENT = re.compile(r"^\s*(?:#|//|%)")


class _Layout(NamedTuple):
    """Where the header of a text is and what separates its cells."""

    header: list[str]
    first_line: int
    """Line of the first row, counted from 1."""
    separator: str
    rest: str


def read_delimited(text: str, name: str, suffix: str) -> Table:
    """Read a text table.

    Parameters
    ----------
    text : str
    name : str
        For messages.
    suffix : str
        Ending of the file's name; ``.tsv`` makes the tab the likelier separator.

    Raises
    ------
    SweepError
        If it has no header or no rows, if most rows are of another width, or if its quotes do not close.
    """
    layout = _layout(text, name, suffix)
    _require_header(layout.header, name)
    if len(text) > _LARGE and len(layout.separator) == 1:
        table = read_large(layout.rest, layout.header, layout.separator, layout.first_line, name)
        if table is not None:
            return table
    ragged: list[int] = []
    header = list(layout.header)
    blocks = _blocks(layout, header, name, ragged)
    columns, lines = stacked(
        ({str(i): cells for i, cells in enumerate(block)}, starts) for block, starts in blocks
    )
    if not lines:
        if ragged:
            raise _too_ragged(name, len(layout.header), ragged)
        msg = f"A table of runs must have one line per run; there is none in {name}."
        raise SweepError(msg)
    if len(ragged) > _MOST_RAGGED * (len(ragged) + len(lines)):
        raise _too_ragged(name, len(layout.header), ragged)
    named, decisions = _named_columns(header, list(columns.values()), name)
    if ragged:
        decisions.append(_left_out(ragged, len(layout.header), name))
    source = Source(name, np.array(lines, dtype=np.int64), is_file=True)
    return Table(frame_of_lists(named, len(lines)), source, decisions=tuple(decisions))


def _layout(text: str, name: str, suffix: str) -> _Layout:
    """Find the header past comments and blank lines, and the separator."""
    start, line, comment = 0, 1, ""
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        content = text[start:end]
        if content.strip() and not _COMMENT.match(content):
            break
        if content.strip():
            comment = content
        elif line == 1:
            msg = f"Line 1 of {name} must be the header; it is blank. Put the column names there."
            raise SweepError(msg)
        start, line = end, line + 1
    if stated := _STATED.match(text[start : start + 10]):  # as spreadsheets write it
        start, line = start + stated.end(), line + 1
    separator = stated[1] if stated else _separator(text[start : start + _HEAD], suffix)
    while (cut := _title(text, start, separator)) > start:
        start, line = cut, line + text.count("\n", start, cut)
    rest = text[start:]
    first, length = _first_row(rest, separator)
    if comment and all(map(_is_number, first)):  # the header is the last comment, as NumPy writes it
        named, _ = _first_row(_COMMENT.sub("", comment), separator)
        if len(named) == len(first):
            return _Layout([cell.strip() for cell in named], line, separator, rest)
    taken = rest[:length].count("\n") or 1
    return _Layout([cell.strip() for cell in first], line + taken, separator, rest[length:])


def _title(text: str, start: int, separator: str) -> int:
    """Return the end of a line above the header: it has no separator, and the lines below it have."""
    end = text.find("\n", start) + 1
    if not end or len(separator) > 1 or separator in text[start:end]:
        return start
    below = text[end : end + _HEAD].splitlines()[:_SAMPLE]
    return end if sum(separator in line for line in below) > len(below) / 2 else start


def _first_row(text: str, separator: str) -> tuple[list[str], int]:
    """Return the cells of the first row, and how many letters it takes."""
    head = text[:_HEAD]
    reader = csv.reader(_spaced(io.StringIO(head, newline=""), separator), delimiter=_delimiter(separator))
    row = next(reader, [])
    length = sum(map(len, islice(io.StringIO(head, newline=""), reader.line_num)))
    return row, length


def _delimiter(separator: str) -> str:
    return separator if len(separator) == 1 else "\x1f"


def _spaced(stream: io.StringIO, separator: str) -> Iterator[str]:
    """Put a separator where columns are set with spaces; every other text stays as it is."""
    if len(separator) == 1:
        return iter(stream)
    return (re.sub(separator, "\x1f", line.strip()) + "\n" for line in stream)


def _separator(text: str, suffix: str) -> str:
    """Find the separator that gives the header several cells and most rows as many."""
    sample = list(islice(io.StringIO(text[:_HEAD], newline=""), _SAMPLE))
    sample = [line for line in sample if line.strip() and not _COMMENT.match(line)]
    order = ("\t", *_SEPARATORS) if suffix == ".tsv" else _SEPARATORS
    for above in range(min(3, len(sample))):  # titles above the header
        best, best_score = order[0], (0.0, 0)
        for separator in dict.fromkeys(order):
            widths = [len(row) for row in csv.reader(sample[above:], delimiter=separator)]
            if not widths or widths[0] < 2:
                continue
            alike = sum(width in (widths[0], widths[0] + 1) for width in widths) / len(widths)
            if (score := (round(alike, 1), widths[0])) > best_score:
                best, best_score = separator, score
        if best_score[1] >= 2:
            return best
    for spaces in (r"\s{2,}|\t", r"\s+"):
        widths = [len(re.split(spaces, line.strip())) for line in sample]
        if (
            len(widths) > 1
            and widths[0] >= 2
            and all(width in (widths[0], widths[0] + 1) for width in widths)
        ):
            return spaces
    return order[0]


def _require_header(header: Sequence[str], name: str) -> None:
    if not any(header):
        msg = f"Line 1 of {name} must be the header; it is blank. Put the column names there."
        raise SweepError(msg)
    if all(_is_number(cell) for cell in header):
        msg = (
            f"{name} must begin with a header; it begins with numbers. Put the column names into its first "
            "line."
        )
        raise SweepError(msg)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _blocks(
    layout: _Layout, header: list[str], name: str, ragged: list[int]
) -> Iterator[tuple[list[tuple[str, ...]], Sequence[int]]]:
    """Yield the columns of blocks of rows with their lines; fits `header` to a column of row names."""
    stream = _spaced(io.StringIO(layout.rest, newline=""), layout.separator)
    reader = csv.reader(stream, delimiter=_delimiter(layout.separator), strict=True)
    offset = layout.first_line
    line = offset
    is_first = True
    try:
        while rows := list(islice(reader, _BLOCK)):
            end = reader.line_num + offset
            starts = _first_lines(rows, line, end)
            line = end
            if is_first:
                _fit_header(header, rows)
                is_first = False
            full, lines = _full_rows(rows, starts, len(header), ragged)
            if full:
                yield list(zip(*full, strict=True)), lines
    except csv.Error as error:
        msg = (
            f"Line {reader.line_num + offset - 1} of {name} is not valid CSV: {error}. "
            "Check the quotes of that line and of the lines above it."
        )
        raise SweepError(msg) from None


def _fit_header(header: list[str], rows: Sequence[list[str]]) -> None:
    """Add the header that a column of row names, or a separator behind every row, does not have."""
    held = [row for row in rows if any(cell.strip() for cell in row)]
    if held and all(len(row) == len(header) + 1 for row in held):
        header.insert(len(header) if all(not row[-1].strip() for row in held) else 0, "")


def _first_lines(rows: Sequence[list[str]], first: int, end: int) -> Sequence[int]:
    """Return the line at which each row starts; a quoted cell may hold line breaks."""
    if end - first == len(rows):
        return range(first, end)
    breaks = (sum(cell.count("\n") + cell.count("\r") - cell.count("\r\n") for cell in row) for row in rows)
    return list(accumulate((1 + count for count in breaks), initial=first))[:-1]


def _full_rows(
    rows: Sequence[list[str]], starts: Sequence[int], width: int, ragged: list[int]
) -> tuple[Sequence[list[str]], Sequence[int]]:
    """Return the rows that are neither blank nor a comment, with their lines; note those of another width."""
    if set(map(len, rows)) == {width} and not any(row[0][:1] in "#/%" and _is_comment(row) for row in rows):
        return rows, starts
    full, lines = [], []
    for row, line in zip(rows, starts, strict=True):
        cells = row
        while len(cells) > width and not cells[-1].strip():
            cells = cells[:-1]
        if not any(cell.strip() for cell in cells) or _is_comment(cells):
            continue
        if len(cells) != width:
            ragged.append(line)
        else:
            full.append(cells)
            lines.append(line)
    return full, lines


def _is_comment(row: Sequence[str]) -> bool:
    return bool(_COMMENT.match(row[0])) and not any(cell.strip() for cell in row[1:])


def _named_columns(
    header: Sequence[str], columns: Sequence[list[str]], name: str
) -> tuple[dict[str, list[str]], list[Decision]]:
    """Return the columns by their headers: without empty ones, unnamed ones by their place, copies once."""
    named: dict[str, list[str]] = {}
    decisions: list[Decision] = []
    twice = []
    for place, (text, cells) in enumerate(zip(header, columns, strict=True), start=1):
        if not text and not any(cell.strip() for cell in cells):
            continue
        title = text or f"column {place}"
        if title not in named:
            named[title] = cells
        elif named[title] == cells:
            decisions.append(
                Decision("columns", f"'{title}' is there twice with the same cells, and read once.")
            )
        else:
            twice.append(title)
    if twice:
        names = listing([repr(title) for title in dict.fromkeys(twice)])
        msg = (
            f"The columns of {name} must have different names; {names} "
            f"{'is' if len(set(twice)) == 1 else 'are'} there more than once. Rename or drop the copies."
        )
        raise SweepError(msg)
    return named, decisions


def _too_ragged(name: str, width: int, ragged: Sequence[int]) -> SweepError:
    return SweepError(
        f"Every row of {name} must have {plural(width, 'cell')}, like the header; most have not, the first "
        f"in line {ragged[0]}. Look for missing, surplus or unquoted separators."
    )


def _left_out(ragged: Sequence[int], width: int, name: str) -> Decision:
    one = len(ragged) == 1
    where = f"line {ragged[0]}" if one else f"lines {listing([str(line) for line in ragged], 3)}"
    return Decision(
        "rows",
        f"{plural(len(ragged), 'row')} left out, in {where} of {name}: {'it has' if one else 'they have'} "
        f"more or fewer cells than the header's {width}.",
        is_doubt=True,
    )
