"""Which runs tell the steps to a target at the best learning rate of each batch size."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surge_fit.typing import FloatArray

BoolArray = NDArray[np.bool_]


def choose_runs(
    batch_size: FloatArray, learning_rate: FloatArray, steps: FloatArray, limit: FloatArray
) -> tuple[BoolArray, BoolArray]:
    """Choose the runs that tell the steps of each batch size at its best learning rate.

    Parameters
    ----------
    batch_size : ndarray, shape (run,)
    learning_rate : ndarray, shape (run,)
        NaN in a table without learning rates, whose runs count as the best of their batch size.
    steps : ndarray, shape (run,)
        To the target; NaN where it was not reached.
    limit : ndarray, shape (run,)
        Steps without reaching the target; NaN where it was reached, or nothing is known.

    Returns
    -------
    reached : ndarray of bool, shape (run,)
        The replicates at the learning rate with the least geometric mean of steps, of every batch size.
    censored : ndarray of bool, shape (run,)
        Runs that only say "more than `limit` steps". With learning rates, the shortest run of a batch size
        at which none reached the target: a longer one does not say how the other rates would have ended.
    """
    known, limited = np.isfinite(steps), np.isfinite(limit)
    if np.isnan(learning_rate).all():
        return known, limited
    reached, censored = np.zeros_like(known), np.zeros_like(limited)
    for size in np.unique(batch_size):
        here = np.flatnonzero((batch_size == size) & known)
        ended = np.flatnonzero((batch_size == size) & limited)
        if here.size:
            means = {
                rate: np.log(steps[here[learning_rate[here] == rate]]).mean()
                for rate in np.unique(learning_rate[here])
            }
            reached[here] = learning_rate[here] == min(means, key=means.__getitem__)
        elif ended.size:
            censored[ended[np.argmin(limit[ended])]] = True
    return reached, censored
