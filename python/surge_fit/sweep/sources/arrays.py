"""From arrays and lists to a frame of cells."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from surge_fit._support.wording import listing
from surge_fit.errors import SweepError
from surge_fit.sweep.schema import OPTIMUM_COLUMN, RUN_COLUMNS
from surge_fit.sweep.sources.base import Cells, Frame, Numbers


def frame_of(columns: Mapping[str, ArrayLike | None], groups: Sequence[str]) -> Frame:
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
    allowed = [*(column.name for column in (*RUN_COLUMNS, OPTIMUM_COLUMN)), *groups]
    unknown = [name for name in columns if name not in allowed]
    if unknown:
        msg = (
            f"The columns of a sweep have canonical names; {unknown[0]!r} is not one, nor in 'group_by'. "
            f"The names are {listing(allowed)}."
        )
        raise SweepError(msg)
    held = {name: _listed(name, values) for name, values in columns.items() if values is not None}
    count = next((len(values) for values in held.values() if len(values) != 1), 1)
    for name, values in held.items():
        if len(values) not in (1, count):
            msg = (
                f"All columns must hold one value per run, or one for all; '{name}' holds {len(values)} and "
                f"others {count}. Give every column the same length."
            )
            raise SweepError(msg)
    cells = {
        name: _cells(name, values * count if len(values) == 1 else values) for name, values in held.items()
    }
    return Frame(cells, count)


def _listed(name: str, values: ArrayLike) -> list[Any]:
    if isinstance(values, Sequence) and not isinstance(values, str):
        return list(values)
    if hasattr(values, "to_list"):  # a series of a frame library, where a blank cell is not NaN
        listed: list[Any] = values.to_list()
        return listed
    array = np.atleast_1d(np.asarray(values))
    if array.ndim > 1:
        msg = f"'{name}' must be one-dimensional, one value per run; got shape {array.shape}."
        raise SweepError(msg)
    return list(array.tolist())


def _cells(name: str, cells: list[Any]) -> Cells:
    """Take a list for numbers where it holds nothing else; None is a blank cell."""
    if not all(cell is None or _is_number(cell) for cell in cells):
        return Cells(name, lambda: cells)
    values = np.array([math.nan if cell is None else float(cell) for cell in cells], dtype=np.float64)
    found = Numbers(values, np.array([cell is None for cell in cells], dtype=bool))
    return Cells(name, lambda: cells, lambda: found)


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool)
