"""Where a resampled curve bends: the batch size at which its rise has lost half of its slope."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from surge_fit.gradients.curve.value import CurvePoint
from surge_fit.typing import FloatArray

_LEAST_POINTS = 4
_EXPONENTS = np.linspace(0.1, 1.5, 29)
_STEPS = 121
_BEYOND = math.log(8.0)
_Z = 1.96


def find_bend(points: Sequence[CurvePoint]) -> tuple[float, float] | None:
    """Find the bend of the resampled curve, and how well it is known.

    Fits ε = ε_c · 2/(1 + (B_c/B)^p), the broken power law that levels off, to the points that the rows
    support; with p = 1 it is the law of SGD and B_c its noise scale.

    Parameters
    ----------
    points : sequence of CurvePoint

    Returns
    -------
    tuple of float, or None
        Log of B_c and its standard deviation; None where fewer than four points have an interval, or the
        bend lies at the end of the batch sizes or beyond.
    """
    held = [
        (point.batch_size, point.resampled.learning_rate, point.resampled.interval)
        for point in points
        if not {"beyond_quarter_of_rows", "not_whole_rows"} & set(point.flags)
    ]
    told = [(size, rate, ends) for size, rate, ends in held if rate is not None and ends is not None]
    if len(told) < _LEAST_POINTS:
        return None
    log_size = np.log([size for size, _, _ in told])
    log_rate = np.log([rate for _, rate, _ in told])
    error = np.array([math.log(high / low) / (2 * _Z) for _, _, (low, high) in told])
    bends = np.linspace(log_size[0] - _BEYOND, log_size[-1] + _BEYOND, _STEPS)
    weight = _likelihood(log_size, log_rate, np.maximum(error, 0.01), bends)
    mean = float(weight @ bends)
    deviation = math.sqrt(float(weight @ (bends - mean) ** 2))
    inside = log_size[0] < mean < log_size[-1]
    return (mean, deviation) if inside and deviation < _BEYOND / 2 else None


def _likelihood(
    log_size: FloatArray, log_rate: FloatArray, error: FloatArray, bends: FloatArray
) -> FloatArray:
    """Weights of every bend, the exponent summed over a grid and the height at its best."""
    x = log_size - bends[:, None, None]
    shape = -np.logaddexp(0.0, -_EXPONENTS[:, None] * x)
    weight = 1.0 / error**2
    residual = log_rate - shape
    residual -= (residual @ weight)[..., None] / weight.sum()
    log_likelihood = -0.5 * (residual**2 @ weight)
    likelihood = np.exp(log_likelihood - log_likelihood.max()).sum(axis=1)
    return np.asarray(likelihood / likelihood.sum(), dtype=np.float64)
