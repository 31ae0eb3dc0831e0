"""Tables of other shapes than a row per run: opened cells, pivot tables, repetitions side by side, charts."""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surge_fit._support.wording import Source, listing
from surge_fit.errors import SweepError
from surge_fit.sweep.decisions import Decision
from surge_fit.sweep.sources.base import Cells, Frame, cells_of, flattened, frame_of_lists
from surge_fit.sweep.table.draft import quoted_headers
from surge_fit.sweep.table.headers import Header, read_header
from surge_fit.sweep.table.numerals import Style, read_numeral

Shaped = tuple[Frame, Source, list[Decision]]

_CHART_SERIES = re.compile(r"^.+ - .+?(?:__MIN|__MAX|__step)?$", re.I)
_CHART_AXES = frozenset(
    ("step", "_step", "relative time", "relative time (process)", "wall time", "epoch", "time")
)
_CORNER = re.compile(r"^\s*(.+?)\s*(?:\\|/|\||→|->|↓|,| x | by | vs\.? | × )\s*(.+?)\s*$", re.I)
_AXIS_VALUE = re.compile(
    r"^(.*?)[\s_=:@\-]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[kKmM]?|\d+\s*(?:\^|\*\*)\s*-?\d+)$"
)
_AXES = ("batch_size", "learning_rate")
_FACTOR_WORDS = frozenset(
    [
        "parameter",
        "param",
        "factor",
        "varied",
        "hyperparameter",
        "hparam",
        "knob",
        "variable",
        "changed",
        "setting",
    ]
)
_LEVEL_WORDS = frozenset(["value", "level", "setting", "to", "tried"])


def shape(frame: Frame, source: Source) -> Shaped:
    """Return the table with a row per run, as far as its headers and cells say how.

    Raises
    ------
    SweepError
        If the table is one from which no sweep can be made: a chart, a wide table that does not name its
        axes, a table of one factor at a time.
    """
    decisions: list[Decision] = []
    frame = _opened(frame, decisions)
    _refuse_chart(frame, source)
    _refuse_factors(frame, source)
    for melt in (_melted_pivot, _melted_axis, _melted_replicates):
        frame, source = melt(frame, source, decisions)
    return frame, source, decisions


def _opened(frame: Frame, decisions: list[Decision]) -> Frame:
    """Open cells that hold a dict or a JSON object: their keys become headers of their own."""
    cells: dict[str, Cells] = {}
    for header, column in frame.cells.items():
        records = None if column.numbers is not None else _records(column.written())
        if records is None:
            cells[header] = column
            continue
        flat = [dict(flattened(record)) for record in records]
        keys = dict.fromkeys(key for record in flat for key in record)
        for key in keys:
            name = f"{header}.{key}"
            cells[name] = cells_of(name, [record.get(key) for record in flat])
        decisions.append(Decision("shape", f"'{header}' holds objects; its keys are read as columns."))
    return Frame(cells, frame.count)


def _records(written: Sequence[Any]) -> list[Mapping[str, Any]] | None:
    """Return the objects in a column of nothing but objects and blanks."""
    first = next((cell for cell in written if cell not in (None, "")), None)
    if not (isinstance(first, Mapping) or (isinstance(first, str) and first.lstrip()[:1] == "{")):
        return None
    records = [_record(cell) for cell in written]
    return None if any(record is None for record in records) else [record or {} for record in records]


def _record(cell: Any) -> Mapping[str, Any] | None:
    if cell in (None, ""):
        return {}
    if isinstance(cell, Mapping):
        return cell
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(cell)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, Mapping) else None
    return None


def _refuse_chart(frame: Frame, source: Source) -> None:
    series = [header for header in frame.cells if _CHART_SERIES.match(header)]
    extremes = [header for header in frame.cells if header.endswith(("__MIN", "__MAX"))]
    others = [header for header in frame.cells if header not in series and header not in extremes]
    if not (extremes or (series and others and all(other.lower() in _CHART_AXES for other in others))):
        return
    runs = dict.fromkeys(header.split(" - ")[0] for header in series)
    msg = (
        f"{source.name} is a chart export: no learning rates in it, only the curves of {listing(runs, 3)}. "
        "Export the table of runs instead, with the configuration's batch size and learning rate as columns."
    )
    raise SweepError(msg)


def _refuse_factors(frame: Frame, source: Source) -> None:
    """Refuse a table of one factor at a time: it names what was varied in a cell, and no run is whole."""
    headers = {header: header.strip().lower() for header in frame.cells}
    factors = [header for header, text in headers.items() if text in _FACTOR_WORDS]
    levels = [header for header, text in headers.items() if text in _LEVEL_WORDS and header not in factors]
    if not (factors and levels):
        return
    names = dict.fromkeys(str(cell) for cell in frame.cells[factors[0]].written() if cell not in (None, ""))
    meanings = {read_header(name).meaning for name in names}
    if not meanings & {*_AXES, "micro_batch_size"}:
        return
    msg = (
        f"{source.name} is a table of one factor at a time: its column '{factors[0]}' says what was varied "
        f"({listing(names, 4)}), and no row says both the batch size and the learning rate. Write a column "
        "for each, with what was held fixed filled in."
    )
    raise SweepError(msg)


def _melted_pivot(frame: Frame, source: Source, decisions: list[Decision]) -> tuple[Frame, Source]:
    """Melt a table whose first header names both axes, and whose other headers are numbers."""
    headers = list(frame.cells)
    numbers = [header for header in headers[1:] if _value(header) is not None]
    if len(numbers) < 2 or len(numbers) < len(headers) - 1:
        return frame, source
    corner = _CORNER.match(headers[0])
    axes = [read_header(part).meaning for part in corner.groups()] if corner else []
    if set(axes) != set(_AXES):
        msg = (
            f"{source.name} is a wide table: its headers {quoted_headers(numbers, 4)} are values, and it "
            "does not say of what. Name both axes in its first header, such as 'batch_size \\ "
            "learning_rate', or write a row per run with the columns 'batch_size', 'learning_rate' and "
            "'loss'."
        )
        raise SweepError(msg)
    decisions.append(
        Decision(
            "shape",
            f"A wide table: rows are '{axes[0]}', columns '{axes[1]}', cells 'loss'; one run per cell that "
            "is not blank.",
        )
    )
    columns = {header: str(header) for header in numbers}
    return _melt(frame, source, columns, axes[1], "loss", rename={headers[0]: axes[0]})


def _melted_axis(frame: Frame, source: Source, decisions: list[Decision]) -> tuple[Frame, Source]:
    """Melt a table whose headers are values of the axis that has no column: ``lr=1e-3``."""
    meanings = {header: read_header(header) for header in frame.cells}
    held = {header.meaning for header in meanings.values() if not header.strange}
    for axis in _AXES:
        other = _AXES[1 - _AXES.index(axis)]
        if axis in held or other not in held or "loss" in held:
            continue
        values = {}
        for header, read in meanings.items():
            match = _AXIS_VALUE.match(header)
            if match and not (read.meaning == "loss" and not read.strange) and _names_axis(match[1], axis):
                values[header] = match[2]
        if len(values) >= 2:
            decisions.append(
                Decision(
                    "shape",
                    f"A wide table: {quoted_headers(values, 3)} are values of '{axis}', their cells 'loss'; "
                    "one run per cell that is not blank.",
                )
            )
            return _melt(frame, source, values, axis, "loss")
    return frame, source


def _names_axis(text: str, axis: str) -> bool:
    name = text.strip(" _=:@-")
    read = read_header(name)
    if read.meaning == axis:
        return not set(read.strange) - {"loss", "val", "at"}
    return False


def _melted_replicates(frame: Frame, source: Source, decisions: list[Decision]) -> tuple[Frame, Source]:
    """Melt losses of several seeds that stand side by side."""
    reads = [read_header(header) for header in frame.cells]
    families: dict[tuple[str, ...], list[Header]] = {}
    for read in reads:
        if read.meaning in ("loss", "score") and read.replicate and not read.strange:
            family = tuple(
                sorted(word for word in read.words if not any(letter.isdigit() for letter in word))
            )
            families.setdefault(family, []).append(read)
    alike = next((family for family in families.values() if len(family) > 1), None)
    if alike is None or len({read.replicate for read in alike}) < len(alike):
        return frame, source
    values = {read.text: read.replicate for read in alike}
    name = re.sub(
        r"[\s_/.\-]+(?:seed|run|rep|replicate|trial|s|r)?[\s_]*\d+\s*$|\d+\s*$", "", alike[0].text, flags=re.I
    )
    name = name if name and name != alike[0].text and name not in frame.cells else "loss"
    decisions.append(
        Decision(
            "shape", f"{quoted_headers(values, 3)} are repetitions side by side; each is a run of its own."
        )
    )
    seed = "seed" if not any(read.meaning == "seed" for read in reads) else "replicate"
    return _melt(frame, source, values, seed, name)


def _melt(
    frame: Frame,
    source: Source,
    values: Mapping[str, str],
    axis: str,
    metric: str,
    rename: Mapping[str, str] | None = None,
) -> tuple[Frame, Source]:
    """Make a row of every cell under `values` that is not blank; names of runs are left to be numbered."""
    written = {header: frame.cells[header].written() for header in frame.cells}
    held = [(row, header) for row in range(frame.count) for header in values]
    held = [(row, header) for row, header in held if not _is_blank(written[header][row])]
    columns: dict[str, list[Any]] = {
        (rename or {}).get(header, header): [cells[row] for row, _ in held]
        for header, cells in written.items()
        if header not in values
    }
    columns[axis] = [values[header] for _, header in held]
    columns[metric] = [written[header][row] for row, header in held]
    rows = np.array([row for row, _ in held], dtype=np.intp)
    return frame_of_lists(columns, len(held)), source.taking(rows)


def _is_blank(cell: Any) -> bool:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return True
    return isinstance(cell, str) and read_numeral(cell, Style()).is_blank


def _value(header: str) -> float | None:
    numeral = read_numeral(header, Style())
    is_number = numeral.is_readable and not numeral.is_blank and np.isfinite(numeral.value)
    return numeral.value if is_number else None
