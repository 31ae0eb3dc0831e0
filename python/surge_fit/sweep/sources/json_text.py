"""JSON: an object per line, an array of them, objects by name, columns; nested objects are opened."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from surge_fit._support.wording import Source
from surge_fit.errors import SweepError
from surge_fit.sweep.schema import TABLE_COLUMNS
from surge_fit.sweep.sources.base import Table, flattened, frame_of_lists, frame_of_records

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
"""Numbers stay text, so that a message can quote what the file says."""

_DEPTH = 4
_ORIENTED = {"columns", "data"}


def read_json_lines(text: str, name: str) -> Table:
    """Read an object per line.

    Raises
    ------
    SweepError
        If a line is not an object; the message names it.
    """
    records, lines = [], []
    for line, record in _records(text, name):
        records.append(record)
        lines.append(line)
    if not records:
        msg = f"A table of runs must have one line per run; there is none in {name}."
        raise SweepError(msg)
    return Table(frame_of_records(records), Source(name, np.array(lines, dtype=np.int64), is_file=True))


def _records(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, content in enumerate(text.splitlines(), start=1):
        if not content.strip():
            continue
        try:
            record = _DECODER.decode(content)
        except (json.JSONDecodeError, RecursionError) as error:
            why = (
                f"{error.msg}, character {error.pos + 1}"
                if isinstance(error, json.JSONDecodeError)
                else "too deep"
            )
            msg = (
                f"Every line of {name} must be a JSON object; line {line} is not JSON ({why}). Correct or "
                "drop that line."
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


def read_json(text: str, name: str) -> Table:
    """Read JSON of any of the shapes that tables of runs have.

    Raises
    ------
    SweepError
        If it is not JSON, or no list of runs is in it.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Extra data"):  # an object per line under the ending of one value
            return read_json_lines(text, name)
        msg = (
            f"{name} must be JSON; line {error.lineno} is not ({error.msg}, character {error.colno}). "
            "Correct it, or write the table again."
        )
        raise SweepError(msg) from None
    except RecursionError:
        msg = f"{name} must be JSON of runs; it is nested too deeply. Write an object per run."
        raise SweepError(msg) from None
    source = Source(name, is_file=True)
    columns = _columns(value)
    if columns:
        count = max(map(len, columns.values()))
        return Table(
            frame_of_lists({k: [*v, *[None] * (count - len(v))] for k, v in columns.items()}, count), source
        )
    records = _list_of_records(value, _DEPTH)
    if not records:
        msg = (
            f"{name} must hold an object per run, in an array or by name; there is none in it. Write the "
            "table as "
            '[{"batch_size": …, "learning_rate": …, "loss": …}, …].'
        )
        raise SweepError(msg)
    return Table(frame_of_records(records), source)


def _columns(value: Any) -> dict[str, list[Any]] | None:
    """Return columns where a value is written column by column."""
    if isinstance(value, list):
        return _of_rows(value[0], value[1:]) if len(value) > 1 and _is_rows(value) else None
    if not isinstance(value, dict) or not value:
        return None
    if (
        set(value) >= _ORIENTED
        and isinstance(value["data"], list)
        and _is_rows([value["columns"], *value["data"]])
    ):
        return _of_rows(value["columns"], value["data"])
    lists = list(value.values())
    if all(isinstance(cells, list) for cells in lists) and not any(
        isinstance(c, dict) for c in chain(*lists)
    ):
        return {str(header): cells for header, cells in value.items()}
    if all(isinstance(cells, dict) and cells for cells in lists) and len(value) > 1:
        keys = [list(cells) for cells in lists]
        is_numbered = all(key.isdigit() for key in keys[0])
        if is_numbered and all(key == keys[0] for key in keys):
            return {str(header): list(cells.values()) for header, cells in value.items()}
    return None


def _is_rows(rows: Any) -> bool:
    return (
        isinstance(rows, list)
        and all(isinstance(row, list) for row in rows)
        and all(isinstance(cell, str) for cell in rows[0])
    )


def _of_rows(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    return {
        name: [row[place] if place < len(row) else None for row in rows] for place, name in enumerate(header)
    }


def _list_of_records(value: Any, depth: int) -> list[dict[str, Any]]:
    """Find the objects of the runs: in an array, by name, or within an object that has one such part."""
    if isinstance(value, list):
        return [record for record in value if isinstance(record, dict)]
    if not isinstance(value, dict) or depth == 0:
        return []
    inner = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    if inner:
        constant = {c.name: value[c.name] for c in TABLE_COLUMNS if isinstance(value.get(c.name), str)}
        return [{**constant, **record} for record in _list_of_records(max(inner, key=len), depth)]
    objects = {name: part for name, part in value.items() if isinstance(part, dict) and part}
    if len(objects) == 1 and len(value) < 4:
        return _list_of_records(next(iter(objects.values())), depth - 1) or [value]
    if len(objects) > 1 and _are_alike(list(objects.values())):
        return [{"run_id": name, **record} for name, record in objects.items()]
    return [value] if value else []


def _are_alike(records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether objects share most of their keys, as runs do and the parts of one run do not."""
    keys = [set(dict(flattened(record))) for record in records]
    return len(set.intersection(*keys)) >= 0.5 * max(len(key) for key in keys)
