"""Arguments that several functions take: what they must be, said in one place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surge_fit.errors import InputError
from surge_fit.typing import FloatArray


def require_batch_sizes(batch_size: Sequence[float] | FloatArray) -> FloatArray:
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
        msg = "'batch_size' must be one number or a list of numbers; got none or a table of them."
        raise InputError(msg)
    wrong = sizes[~(np.isfinite(sizes) & (sizes > 0))]
    if len(wrong):
        msg = f"'batch_size' must be positive and finite; got {wrong[0]:g}."
        raise InputError(msg)
    return sizes
