"""From arrays and lists to a frame of cells."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from surge_fit.errors import SweepError
from surge_fit.importers.aliases import OPTIMUM_COLUMN, RUN_COLUMNS
from surge_fit.importers.wording import listing

if TYPE_CHECKING:
    import polars as pl


def frame_of(columns: Mapping[str, ArrayLike | None], groups: Sequence[str]) -> "pl.DataFrame":
    """Put arrays side by side in a frame.

    Parameters
    ----------
    columns : mapping of str to array_like
        Canonical name, or a name in `groups`, → values of shape (run,). A scalar holds for all runs, None is
        left out.
    groups : sequence of str
        The other names that are allowed.

    Raises
    ------
    SweepError
        If a name is not allowed, a column is not one-dimensional, or the lengths differ.
    """
    import polars as pl

    allowed = [*(column.name for column in (*RUN_COLUMNS, OPTIMUM_COLUMN)), *groups]
    unknown = [name for name in columns if name not in allowed]
    if unknown:
        raise SweepError(
            f"The columns of a sweep have canonical names; {unknown[0]!r} is not one, nor in 'group_by'. "
            f"The names are {listing(allowed)}."
        )
    cells = {name: _series(name, values) for name, values in columns.items() if values is not None}
    count = next((len(series) for series in cells.values() if len(series) != 1), 1)
    for name, series in cells.items():
        if len(series) not in (1, count):
            raise SweepError(
                f"All columns must hold one value per run, or one for all; '{name}' holds {len(series)} and "
                f"others {count}. Give every column the same length."
            )
    return pl.DataFrame(
        [series.new_from_index(0, count) if len(series) == 1 else series for series in cells.values()]
    )


def _series(name: str, values: ArrayLike) -> "pl.Series":
    """Return values as a column; a list that mixes words and numbers, or kinds of numbers, becomes text."""
    import polars as pl

    cells: list[Any]
    if isinstance(values, Sequence) and not isinstance(values, str):
        cells = list(values)
    elif hasattr(values, "to_list"):  # a series of a frame library, where a blank cell is not NaN
        cells = values.to_list()
    else:
        array = np.atleast_1d(np.asarray(values))
        if array.ndim > 1:
            raise SweepError(f"'{name}' must be one-dimensional, one value per run; got shape {array.shape}.")
        if array.dtype.kind in "biuf":
            return pl.Series(name, array)
        cells = array.tolist()
    try:
        return pl.Series(name, cells)
    except TypeError:
        return pl.Series(name, [None if cell is None else str(cell) for cell in cells], dtype=pl.String)
