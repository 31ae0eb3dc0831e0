"""From the cells of one column to numbers or words.

Every search for an offending row is one array operation, and equal cells are read once, so a million rows
take a moment.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from surge_fit._support.wording import listing, number
from surge_fit.sweep.schema import BLANK_WORDS, Rule
from surge_fit.sweep.sources.base import Cells
from surge_fit.sweep.table.numerals import (
    DECIMAL_PROVEN,
    DECIMAL_PROVEN_DOTS,
    DOTTED_THOUSANDS,
    KILO,
    ONE_COMMA,
    THOUSANDS_PROVEN,
    Numeral,
    Style,
    bare,
    read_numeral,
)
from surge_fit.typing import FloatArray

BoolArray = NDArray[np.bool_]
Kind = Literal["batch", "count", "measure"]
"""A batch or a count (steps, tokens) may have K behind it, of a batch perhaps 1,024; a measure (a rate, a
loss) has not."""

RULES: dict[Rule, tuple[str, Callable[[FloatArray], BoolArray]]] = {
    "positive": ("a positive, finite number", lambda x: np.isfinite(x) & (x > 0)),
    "non_negative": ("zero or a positive, finite number", lambda x: np.isfinite(x) & (x >= 0)),
    "fraction": ("a number in [0, 1)", lambda x: (x >= 0) & (x < 1)),
    "finite": ("a finite number", np.isfinite),
    "any": ("a number", lambda x: np.ones(x.shape, dtype=bool)),
}
"""What the numbers of a column must be, in words, and which are."""


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """The cells of a column as numbers.

    Attributes
    ----------
    values : ndarray, shape (row,)
        NaN where a cell holds no number.
    blank, unreadable : ndarray of bool, shape (row,)
    errors : ndarray, shape (row,), or None
        What stands behind ±; None where nothing does.
    statuses : tuple of (int, str)
        Row and status, where a cell says how the run ended.
    unit : str
        The unit behind every number that has one; ``""`` where there is none, or several.
    choices : tuple of str
        What was chosen for the column as a whole, a sentence each, without the name of the column.
    written : callable
        Returns the cells as the table has them.
    """

    values: FloatArray
    blank: BoolArray
    unreadable: BoolArray
    written: Callable[[], Sequence[Any]]
    errors: FloatArray | None = None
    statuses: tuple[tuple[int, str], ...] = ()
    unit: str = ""
    choices: tuple[str, ...] = field(default=())

    def shown(self, row: int) -> str:
        """Return a cell as a message quotes it."""
        cell = self.written()[row]
        if self.blank[row]:
            return "an empty cell"
        return (
            repr(cell.strip()) if isinstance(cell, str) and self.unreadable[row] else self._number(row, cell)
        )

    def _number(self, row: int, cell: Any) -> str:
        return repr(str(cell)) if self.unreadable[row] else number(float(self.values[row]))

    def mapped(self, function: Callable[[FloatArray], FloatArray], choice: str) -> "NumberColumn":
        """Return the column with its numbers changed, and the choice that changed them."""
        with np.errstate(all="ignore"):
            return replace(self, values=function(self.values), choices=(*self.choices, choice))


def words(cells: Cells) -> list[str]:
    """Return the cells of a column as stripped text, with ``""`` for blank ones."""
    return [text_of(cell) for cell in cells.written()]


def text_of(cell: Any) -> str:
    """Return a cell as stripped text, ``""`` for a blank one."""
    text = "" if cell is None else str(cell).strip()
    return "" if text.lower() in BLANK_WORDS else text


def read_column(cells: Cells, kind: Kind, decimal_comma: bool = False) -> NumberColumn:
    """Read the cells of a column as numbers.

    Parameters
    ----------
    cells : Cells
    kind : {"batch", "count", "measure"}
    decimal_comma : bool
        Whether another column of the table has decimal commas.
    """
    found = cells.numbers() if cells.numbers is not None else None
    if found is not None:
        values, blank = found
        return NumberColumn(values, blank, np.zeros(values.shape, dtype=bool), cells.written)
    written = cells.written()
    plain = _plain_numbers(written)
    if plain is not None and not (kind != "measure" and _has_dotted_thousands(plain, written)):
        none = np.zeros(plain.shape, dtype=bool)
        return NumberColumn(plain, none, none, cells.written)
    texts = [_opened(cell) for cell in written]
    distinct = dict.fromkeys(texts)
    style, choices = settle_style([bare(text) for text in distinct], kind, decimal_comma)
    parsed = {text: read_numeral(text, style) for text in distinct}
    return _column([parsed[text] for text in texts], choices, cells)


def _column(numerals: Sequence[Numeral], choices: list[str], cells: Cells) -> NumberColumn:
    errors = np.array([numeral.error for numeral in numerals])
    units = {numeral.unit for numeral in numerals if numeral.unit}
    return NumberColumn(
        np.array([numeral.value for numeral in numerals]),
        np.array([numeral.is_blank for numeral in numerals], dtype=bool),
        np.array([not numeral.is_readable for numeral in numerals], dtype=bool),
        cells.written,
        None if np.isnan(errors).all() else errors,
        tuple((row, numeral.status) for row, numeral in enumerate(numerals) if numeral.status),
        units.pop() if len(units) == 1 else "",
        tuple(choices),
    )


def _plain_numbers(written: Sequence[Any]) -> FloatArray | None:
    """Return the numbers where every cell is one in plain text, which is nearly always."""
    try:
        joined = "".join(written)
        if joined.isascii() and "_" not in joined:
            return np.fromiter(map(float, written), np.float64, len(written))
    except (TypeError, ValueError):  # a cell that is blank, no text or no number
        pass
    return None


def _has_dotted_thousands(values: FloatArray, written: Sequence[str]) -> bool:
    """Whether counts that are not whole would be with dots between thousands: ``65.536``."""
    with np.errstate(invalid="ignore"):
        whole = bool((values == np.rint(values)).all())
    return not whole and all(
        DOTTED_THOUSANDS.match(cell.strip()) or cell.strip().isdigit() for cell in written
    )


def _opened(cell: Any) -> str:
    """Return a cell as text; of a list of one item the item, and no words for yes and no."""
    if isinstance(cell, list | tuple) and len(cell) == 1:
        return _opened(cell[0])
    if isinstance(cell, float) and math.isnan(cell):
        return "nan"
    text = "" if cell is None else str(cell)
    if text[:1] == "[" and text[-1:] == "]" and "," not in text:
        return text[1:-1]
    return text


def settle_style(texts: Sequence[str], kind: Kind, decimal_comma: bool) -> tuple[Style, list[str]]:
    """Decide for a column as a whole what a comma and a K mean.

    Parameters
    ----------
    texts : sequence of str
        Its distinct cells, bare.
    kind : {"batch", "count", "measure"}
    decimal_comma : bool
        Whether another column of the table has decimal commas.

    Returns
    -------
    style : Style
    choices : list of str
        What was chosen where there was a choice.
    """
    choices: list[str] = []
    commas = [text for text in (_first(text) for text in texts) if "," in text]
    decimal: Literal[".", ","] = "."
    if any(DECIMAL_PROVEN.match(text) or DECIMAL_PROVEN_DOTS.match(text) for text in commas):
        decimal = ","
        choices.append(f"decimal commas ({commas[0]})")
    elif any(THOUSANDS_PROVEN.match(text) for text in commas):
        choices.append(f"commas separate thousands ({commas[0]})")
    elif any(ONE_COMMA.match(text) for text in commas):
        decimal = "," if kind == "measure" or decimal_comma else "."
        what = "a decimal comma" if decimal == "," else "commas separate thousands"
        choices.append(f"{what} ({commas[0]})")
    elif (
        kind != "measure"
        and texts
        and any(map(DOTTED_THOUSANDS.match, texts))
        and not commas
        and all(DOTTED_THOUSANDS.match(text) or text.isdigit() for text in texts)
    ):
        decimal = ","
        choices.append(f"dots separate thousands ({next(filter(DOTTED_THOUSANDS.match, texts))})")
    elif decimal_comma and not any("." in text and len(text.rpartition(".")[2]) != 3 for text in texts):
        decimal = ","
    kilo, choice = _kilo(texts, may_be_binary=kind == "batch") if kind != "measure" else (1000, "")
    return Style(decimal, kilo, kind != "measure"), [*choices, *filter(None, (choice,))]


def _first(text: str) -> str:
    return text.split("±")[0].split("(")[0].strip()


def _kilo(texts: Iterable[str], *, may_be_binary: bool) -> tuple[int, str]:
    """Take K for 1,024 in batch sizes that are all powers of two before it, and for 1,000 otherwise."""
    found = [
        (float(match[1].replace(",", ".") if "." not in match[1] else match[1]), match)
        for text in texts
        if (match := KILO.match(text))
    ]
    if not found:
        return 1000, ""
    fractions = [math.log2(value) for value, _ in found if value > 0]
    binary = (
        may_be_binary and any(value != 1 for value, _ in found) and all(log.is_integer() for log in fractions)
    )
    kilo = 1024 if binary else 1000
    letter = found[0][1][2]
    power = {"k": 1, "m": 2, "g": 3, "b": 3, "t": 4}[letter.lower()]
    if letter.lower() in "bt":
        kilo = 1000
    size = number(found[0][0] * float(kilo) ** power)
    return kilo, f"{found[0][1][0].strip()} is {size}"


def places_of(mask: BoolArray) -> NDArray[np.intp]:
    """Return the rows at which a mask is true."""
    return np.flatnonzero(mask)


def quoted(cells: Iterable[str], most: int = 3) -> str:
    """Quote distinct cells for a message."""
    return listing([repr(cell) for cell in dict.fromkeys(cells)], most)
