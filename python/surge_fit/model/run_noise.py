"""The scatter of losses that one learning rate explains nothing of, read off neighbours in the grid."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from surge_fit.typing import FloatArray

_FEWEST_TRIPLES = 3
_NEAR = 3.0
"""Standard deviations of the noise above the best loss within which runs compete for being the best."""


def loss_noise(valleys: Sequence[tuple[FloatArray, FloatArray]]) -> float:
    """Estimate the standard deviation of losses around their valleys.

    A valley is convex: without noise every loss lies below the line through its neighbours. With noise alone
    half of them lie above it, as far as the others lie below. So twice the mean square of what lies above,
    in units of the noise, is the variance of the noise, and 0 where all is smooth.

    Parameters
    ----------
    valleys : sequence of (ndarray, ndarray)
        Log learning rates and losses of finished runs, each of shape (run,), of one valley after another.

    Returns
    -------
    float
        In the unit of the loss; 0 where fewer than three runs have neighbours on both sides.
    """
    squares: list[FloatArray] = [_squares_above_chord(rate, loss) for rate, loss in valleys]
    found = np.concatenate(squares) if squares else np.empty(0)
    return float(np.sqrt(2 * found.mean())) if found.size >= _FEWEST_TRIPLES else 0.0


def _squares_above_chord(log_rate: FloatArray, loss: FloatArray) -> FloatArray:
    """Squared distance above the line through both neighbours, in units of the noise; 0 below it."""
    order = np.argsort(log_rate, kind="stable")
    x, y = log_rate[order], loss[order]
    # Far out a valley bends the other way: its sides become straight, or end at the loss of a failure.
    bottom = y <= 2 * np.median(y) - y.min() if y.size else np.empty(0, dtype=bool)
    near = bottom[:-2] & bottom[1:-1] & bottom[2:]
    span = x[2:] - x[:-2]
    left = np.divide(x[2:] - x[1:-1], span, out=np.full_like(span, 0.5), where=span > 0)
    above = y[1:-1] - left * y[:-2] - (1 - left) * y[2:]
    scaled = above / np.sqrt(1 + left**2 + (1 - left) ** 2)
    return np.asarray(np.maximum(scaled, 0.0)[near] ** 2)


def luck_of_best(loss: FloatArray, noise: float) -> float:
    """Mean by which noise alone puts the best of several losses below its expectation.

    Of n runs that are equally good it is the normal quantile of (n − 3/8)/(n + 1/4) (Blom's approximation of
    the mean of the largest of n normal variables) times the noise.

    Parameters
    ----------
    loss : ndarray, shape (run,)
        Of finished runs at one batch size.
    noise : float
        From `loss_noise`.

    Returns
    -------
    float
        In the unit of the loss; 0 without noise, or where one run alone is near the best.
    """
    if noise == 0:
        return 0.0
    count = int((loss <= loss.min() + _NEAR * noise).sum())
    return noise * NormalDist().inv_cdf((count - 0.375) / (count + 0.25)) if count > 1 else 0.0
