"""Arguments that several functions take: the numbers that they must be, said in one place."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from surge_fit.errors import InputError
from surge_fit.typing import FloatArray


def positive_number(value: object) -> float | None:
    """Read a positive finite number.

    Parameters
    ----------
    value : object
        A number, or the text of one.

    Returns
    -------
    float or None
        None if it is no number (a truth value is none), or not positive and finite.
    """
    if isinstance(value, bool | np.bool_):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def require_positive(name: str, value: float | None) -> None:
    """Refuse an argument that is neither None nor a positive finite number.

    Raises
    ------
    InputError
    """
    if value is not None and positive_number(value) is None:
        msg = f"{name!r} must be a positive finite number; got {value!r}."
        raise InputError(msg)


def require_all_positive(name: str, values: FloatArray) -> None:
    """Refuse an array of which an entry is not positive and finite.

    Raises
    ------
    InputError
        Naming the first such entry, and its index where there is one dimension.
    """
    wrong = np.argwhere(~(np.isfinite(values) & (values > 0)))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        place = index[0] if len(index) == 1 else index
        msg = (
            f"{name!r} must be positive and finite; got {values[index]:g} at index {place}. "
            "Correct or drop it."
        )
        raise InputError(msg)


def require_batch_sizes(batch_size: Sequence[float] | ArrayLike) -> FloatArray:
    """Check batch sizes that a user asks for.

    Returns
    -------
    ndarray of float64, shape (batch_size,)

    Raises
    ------
    InputError
        If there is none, or one is not a positive finite number.
    """
    sizes = np.atleast_1d(np.asarray(batch_size, dtype=np.float64))
    if sizes.ndim != 1 or not len(sizes):
        msg = (
            "'batch_size' must be one number or a list of numbers, at least one; "
            f"got shape {sizes.shape}. Flatten it, or add a batch size."
        )
        raise InputError(msg)
    require_all_positive("batch_size", sizes)
    return sizes


def distinct(sizes: FloatArray) -> FloatArray:
    """Each batch size once, in the order of its first appearance: what is asked twice is answered once."""
    return np.array(list(dict.fromkeys(sizes.tolist())))
