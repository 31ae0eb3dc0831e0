"""Conditions that choose runs: ``optimizer=adamw``, ``steps>=1000``, ``state!=crashed``."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from surge_fit._support.wording import listing
from surge_fit.errors import SweepError
from surge_fit.sweep.sources.base import Cells, Frame

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FORM = re.compile(r"(.+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Condition:
    """What a cell of a run must be.

    Attributes
    ----------
    key : str
        The column.
    comparison : {"=", "!=", "<", "<=", ">", ">="}
    value : str
        Compared as a number where both are numbers, else as text, whatever its case.
    """

    key: str
    comparison: str
    value: str

    @classmethod
    def parsed(cls, text: str) -> "Condition":
        """Read ``key=value`` or a comparison.

        Raises
        ------
        SweepError
            If the text is none.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None:
            msg = (
                "A condition must be a column, one of = != < <= > >=, and a value, such as optimizer=adamw; "
                f"got {text!r}."
            )
            raise SweepError(msg)
        key, comparison, value = match.groups()
        return cls(key.strip(), "=" if comparison == "==" else comparison, value.strip())

    def holds(self, cell: object) -> bool:
        """Tell whether a cell meets the condition; a blank one meets ``!=`` alone."""
        if cell is None or cell == "":
            return self.comparison == "!=" and bool(self.value)
        left, right = _number(cell), _number(self.value)
        compare = _OPERATORS[self.comparison]
        if left is not None and right is not None:
            return compare(left, right)
        return compare(str(cell).strip().lower(), self.value.lower())


def chosen(frame: Frame, conditions: Sequence[Condition], name: str) -> tuple[Frame, list[int]]:
    """Return the rows of a frame that meet all conditions, and where they were.

    Parameters
    ----------
    frame : Frame
    conditions : sequence of Condition
    name : str
        Of the table, for messages.

    Raises
    ------
    SweepError
        If a column is not there, or no row is left.
    """
    rows = list(range(frame.count))
    for condition in conditions:
        written = frame.cells[_header(condition.key, frame, name)].written()
        kept = [row for row in rows if condition.holds(written[row])]
        if rows and not kept:
            seen = dict.fromkeys(str(written[row]) for row in rows)
            msg = (
                f"The condition '{condition.key}{condition.comparison}{condition.value}' must leave a run; "
                f"none of {len(rows)} in {name} meets it. The column holds {listing(seen, 8)}."
            )
            raise SweepError(msg)
        rows = kept
    return Frame({header: _picked(cells, rows) for header, cells in frame.cells.items()}, len(rows)), rows


def _header(key: str, frame: Frame, name: str) -> str:
    """Return the header that a key means: itself, with or without ``config.``, or the one that ends in it."""
    if key in frame.cells:
        return key
    if key == "state" and "status" in frame.cells:
        return "status"
    wanted = re.split(r"[./]", key.lower())
    if wanted[0] in ("config", "summary") and len(wanted) > 1:
        wanted = wanted[1:]
    ends = [header for header in frame.cells if re.split(r"[./]", header.lower())[-len(wanted) :] == wanted]
    if len(ends) == 1:
        return ends[0]
    headers = ends or list(frame.cells)
    near = get_close_matches(key, headers, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    msg = (
        f"A condition must name one column of {name}; {key!r} names {'several' if ends else 'none'}: it has "
        f"{listing((repr(header) for header in headers), 20)}.{hint}"
    )
    raise SweepError(msg)


def _picked(cells: Cells, rows: Sequence[int]) -> Cells:
    def written() -> Sequence[Any]:
        held = cells.written()
        return [held[row] for row in rows]

    return Cells(cells.name, written)


def _number(cell: object) -> float | None:
    try:
        return float(str(cell))
    except ValueError:
        return None
