"""From the cells of one column to numbers or words, refusing what cannot be used and saying where.

Every search for an offending row is one array operation, so a million rows take a moment.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import Source, number
from surge_fit.errors import SweepError
from surge_fit.sweep.schema import BLANK_WORDS, Column, Rule
from surge_fit.sweep.sources.base import Cells, Numbers
from surge_fit.typing import FloatArray

_RULES: dict[Rule, tuple[str, Callable[[FloatArray], NDArray[np.bool_]]]] = {
    "positive": ("a positive, finite number", lambda x: np.isfinite(x) & (x > 0)),
    "non_negative": ("zero or a positive, finite number", lambda x: np.isfinite(x) & (x >= 0)),
    "fraction": ("a number in [0, 1)", lambda x: (x >= 0) & (x < 1)),
    "finite": ("a finite number", np.isfinite),
    "any": ("a number", lambda x: np.ones(x.shape, dtype=bool)),
}


def words(cells: Cells) -> list[str]:
    """Return the cells of a column as stripped text, with ``""`` for blank ones."""
    return [_text(cell) for cell in cells.written()]


def numbers(
    cells: Cells, column: Column, source: Source, run_ids: list[str] | None, *, required: bool
) -> Numbers:
    """Return the cells of a column as float64 numbers that keep the column's rule.

    Parameters
    ----------
    cells : Cells
        The column, of numbers or of text.
    column : Column
        The canonical column, whose rule the numbers must keep.
    source : Source
        For the messages.
    run_ids : list of str or None
        The names of the runs, for the messages, if the table has them.
    required : bool
        Whether a blank cell is refused.

    Raises
    ------
    SweepError
        If a cell is not a number, breaks the rule, or is blank where a value is required.
    """
    expected, keeps_rule = _RULES[column.rule]

    def refuse(offending: NDArray[np.bool_], found: Callable[[int], str]) -> None:
        indices = np.flatnonzero(offending)
        if not indices.size:
            return
        first = int(indices[0])
        place = source.place(first)
        where = f"run '{run_ids[first]}' ({place})" if run_ids else place
        header = "" if cells.name == column.name else f" (column '{cells.name}')"
        more = f" The same holds for {source.places(indices[1:])}." if indices.size > 1 else ""
        msg = (
            f"'{column.name}'{header} must be {expected}; got {found(first)} in {where}."
            f"{more} Correct the column or drop the run."
        )
        raise SweepError(msg)

    if cells.numbers is not None:
        values, blank = cells.numbers()
    else:
        written = cells.written()
        values, blank, unreadable = _parse(written)
        refuse(unreadable, lambda i: repr(_text(written[i])))
    if required:
        refuse(blank, lambda _: "an empty cell")
    else:
        blank = blank | (np.isnan(values) if column.rule != "any" else False)
    refuse(~keeps_rule(values) & ~blank, lambda i: number(values[i]))
    return Numbers(values, blank)


def _text(cell: Any) -> str:
    text = "" if cell is None else str(cell).strip()
    return "" if text.lower() in BLANK_WORDS else text


def _parse(cells: Sequence[Any]) -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the numbers, which cells were blank, and which were neither blank nor a number."""
    try:
        if _is_plain("".join(cells)):
            values = np.fromiter(map(float, cells), np.float64, len(cells))
            return values, np.zeros(values.shape, bool), np.zeros(values.shape, bool)
    except (TypeError, ValueError):  # a cell that is blank, no text or no number
        pass
    texts = [_text(cell) for cell in cells]
    parsed = [_number(text) for text in texts]
    blank = np.array([not text for text in texts])
    unreadable = np.array([value is None for value in parsed]) & ~blank
    return np.array([math.nan if value is None else value for value in parsed]), blank, unreadable


def _number(text: str) -> float | None:
    try:
        return float(text) if _is_plain(text) else None
    except ValueError:
        return None


def _is_plain(text: str) -> bool:
    """Whether no letter is one that Python takes for a digit, or between digits, and tables do not."""
    return text.isascii() and "_" not in text
