"""Importance weights: draws of one density that stand for another, Pareto-smoothed (arXiv:1507.02646).

The same numbers as ArviZ's ``psislw`` (tested), without importing it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from surge_fit.typing import FloatArray, IndexArray

MAX_PARETO_K = 0.7
"""Tail index from which on weights are not to be relied upon (same source)."""

_LEAST_TAIL = 5


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Importance weights of draws.

    Attributes
    ----------
    weight : ndarray, shape (draw,)
        Smoothed; they sum to 1.
    pareto_k : float
        Tail index of the raw ones: below 0.7 the weighted draws can be relied upon. Infinite where too few
        of them are large to tell, −∞ where all are alike.
    """

    weight: FloatArray
    pareto_k: float

    @property
    def efficiency(self) -> float:
        """Effective sample size of the weights, as a share of the draws."""
        return float(1 / (self.weight**2).sum()) / len(self.weight)

    def resample(self, rng: np.random.Generator) -> IndexArray:
        """Choose as many draws, each as often as it weighs, by systematic resampling; in their order."""
        count = len(self.weight)
        positions = (rng.random() + np.arange(count)) / count
        return np.minimum(np.searchsorted(np.cumsum(self.weight), positions), count - 1)


def smooth(log_ratio: FloatArray) -> Weights:
    """Smooth importance ratios into weights: the largest are replaced by quantiles of a Pareto tail.

    Parameters
    ----------
    log_ratio : ndarray, shape (draw,)
        Log density of the target less that of the proposal, which the draws are of, up to a constant.

    Returns
    -------
    Weights
    """
    x = log_ratio - log_ratio.max()
    count = len(x)
    if not x.any():
        return Weights(np.full(count, 1 / count), -math.inf)
    in_tail = math.ceil(min(count / 5, 3 * math.sqrt(count)))
    order = np.argsort(x)
    cutoff = max(float(x[order[-in_tail - 1]]), math.log(np.finfo(np.float64).tiny))
    tail = order[x[order] > cutoff]
    k = math.inf
    if len(tail) >= _LEAST_TAIL:
        k, scale = _fit_pareto(np.exp(x[tail]) - math.exp(cutoff))
        if math.isfinite(k):
            shares = np.arange(0.5, len(tail)) / len(tail)
            # Nothing is smoothed beyond the largest raw weight.
            x[tail] = np.minimum(np.log(_pareto_quantile(shares, k, scale) + math.exp(cutoff)), 0.0)
    weight = np.exp(x)
    return Weights(weight / weight.sum(), k)


def _fit_pareto(ascending: FloatArray) -> tuple[float, float]:
    """Tail index and scale of a generalised Pareto distribution (Zhang and Stephens 2009)."""
    count = len(ascending)
    points = 30 + int(math.sqrt(count))
    b = 1 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))
    b = b / (3 * ascending[int(count / 4 + 0.5) - 1]) + 1 / ascending[-1]
    k = np.log1p(-b[:, None] * ascending).mean(axis=1)
    profile = count * (np.log(-(b / k)) - k - 1)
    weight = np.exp(profile - profile.max())
    mean_b = float((b * weight).sum() / weight.sum())
    index = float(np.log1p(-mean_b * ascending).mean())
    return (count * index + 10 * 0.5) / (count + 10), -index / mean_b


def _pareto_quantile(share: FloatArray, k: float, scale: float) -> FloatArray:
    exponential = -np.log1p(-share)
    if abs(k) < np.finfo(np.float64).eps:
        return np.asarray(scale * exponential)
    return np.asarray(scale * np.expm1(k * exponential) / k)
