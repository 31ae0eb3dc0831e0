"""From the cells of one column to numbers or words, refusing what cannot be used and saying where.

Every search for an offending row is one array operation, so a million rows take a moment.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surge_fit.errors import SweepError
from surge_fit.importers.aliases import BLANK_WORDS, Column, Rule
from surge_fit.importers.wording import Source, number
from surge_fit.typing import FloatArray

if TYPE_CHECKING:
    import narwhals as nw
    import polars as pl


class Numbers(NamedTuple):
    """The numbers of a column, and which of its cells were blank (NaN among the numbers)."""

    values: FloatArray
    blank: NDArray[np.bool_]


_RULES: dict[Rule, tuple[str, Callable[[FloatArray], NDArray[np.bool_]]]] = {
    "positive": ("a positive, finite number", lambda x: np.isfinite(x) & (x > 0)),
    "non_negative": ("zero or a positive, finite number", lambda x: np.isfinite(x) & (x >= 0)),
    "fraction": ("a number in [0, 1)", lambda x: (x >= 0) & (x < 1)),
    "finite": ("a finite number", np.isfinite),
    "any": ("a number", lambda x: np.ones(x.shape, dtype=bool)),
}


def words(series: "nw.Series[Any]") -> list[str]:
    """Return the cells of a column as stripped text, with ``""`` for blank ones."""
    return _texts(series).to_list()


def numbers(
    series: "nw.Series[Any]", column: Column, source: Source, run_ids: list[str] | None, *, required: bool
) -> Numbers:
    """Return the cells of a column as float64 numbers that keep the column's rule.

    Parameters
    ----------
    series : narwhals.Series
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
    import narwhals as nw

    expected, keeps_rule = _RULES[column.rule]

    def refuse(offending: NDArray[np.bool_], found: Callable[[int], str]) -> None:
        indices = np.flatnonzero(offending)
        if not indices.size:
            return
        first = int(indices[0])
        place = source.place(first)
        where = f"run '{run_ids[first]}' ({place})" if run_ids else place
        header = "" if series.name == column.name else f" (column '{series.name}')"
        more = f" The same holds for {source.places(indices[1:])}." if indices.size > 1 else ""
        raise SweepError(
            f"'{column.name}'{header} must be {expected}; got {found(first)} in {where}."
            f"{more} Correct the column or drop the run."
        )

    if series.dtype.is_numeric():
        raw = series.cast(nw.Float64())
        values = np.array(raw.to_numpy(), dtype=np.float64)
        blank = series.is_null().to_numpy() & ~raw.is_nan().fill_null(False).to_numpy()
    else:
        texts = _texts(series)
        values, blank, unreadable = _parse(texts)
        refuse(unreadable, lambda i: repr(texts[i]))
    if required:
        refuse(blank, lambda _: "an empty cell")
    else:
        blank = blank | (np.isnan(values) if column.rule != "any" else False)
    refuse(~keeps_rule(values) & ~blank, lambda i: number(values[i]))
    return Numbers(values, blank)


def _texts(series: "nw.Series[Any]") -> "pl.Series":
    import narwhals as nw
    import polars as pl

    if series.dtype == nw.String:
        cells = series.fill_null("").to_list()
    else:
        blanks = series.is_null().to_list()
        cells = ["" if blank else str(cell) for cell, blank in zip(series.to_list(), blanks, strict=True)]
    texts = pl.Series(cells, dtype=pl.String).str.strip_chars()
    return texts.set(texts.str.to_lowercase().is_in(BLANK_WORDS), "")


def _parse(texts: "pl.Series") -> tuple[FloatArray, NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the numbers, which cells were blank, and which were neither blank nor a number."""
    import polars as pl

    parsed = texts.cast(pl.Float64, strict=False)
    blank = (texts == "").to_numpy()
    return np.array(parsed.to_numpy(), dtype=np.float64), blank, parsed.is_null().to_numpy() & ~blank
