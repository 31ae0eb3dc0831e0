"""Mixing of chains: rank-normalised split R-hat, and effective sample sizes (arXiv:1903.08008).

The same numbers as ArviZ, to the last digits (tested), without importing it: that alone takes longer than a
fit. Everything else that ArviZ offers is left to it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from surge_fit.typing import FloatArray

_TAILS = (0.05, 0.95)


class Mixing(NamedTuple):
    """Mixing of the chains of one quantity.

    Attributes
    ----------
    rhat : float
        The larger of that of its ranks and that of its distance from the median: 1 where chains agree, NaN
        where nothing varies.
    ess_bulk, ess_tail : float
        Effective sample size for its centre, and for its 5 and 95 % quantiles.
    """

    rhat: float
    ess_bulk: float
    ess_tail: float


def measure(draws: FloatArray) -> Mixing:
    """Measure the mixing of one quantity.

    Parameters
    ----------
    draws : ndarray, shape (chain, draw)

    Returns
    -------
    Mixing
    """
    split = _split(draws)
    scores, folded = _normal_scores(split), _normal_scores(np.abs(split - np.median(split)))
    return Mixing(
        rhat=max(_plain_rhat(scores), _plain_rhat(folded)),
        ess_bulk=_ess(scores),
        ess_tail=min(_ess((split <= q).astype(np.float64)) for q in np.quantile(draws, _TAILS)),
    )


def _split(draws: FloatArray) -> FloatArray:
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _normal_scores(values: FloatArray) -> FloatArray:
    """Normal quantiles of the ranks of all values together; ties share their mean rank."""
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    twice_mean_rank = 2 * np.cumsum(counts) - counts + 1
    scores = _scores(values.size)[twice_mean_rank[inverse] - 2]
    return np.asarray(scores.reshape(values.shape))


@lru_cache(maxsize=4)
def _scores(count: int) -> FloatArray:
    """Normal scores of the ranks 1, 1.5, 2, … of so many values."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((0.5 * r - 0.375) / (count + 0.25)) for r in range(2, 2 * count + 1)])


def _plain_rhat(chains: FloatArray) -> float:
    count = chains.shape[1]
    within = float(chains.var(axis=1, ddof=1).mean())
    between = count * float(chains.mean(axis=1).var(ddof=1))
    return math.sqrt((between / within + count - 1) / count) if within > 0 else math.nan


def _ess(chains: FloatArray) -> float:
    """Effective sample size by Geyer's initial monotone sequence of autocorrelations."""
    number, count = chains.shape
    if float(np.ptp(chains)) < np.finfo(float).resolution:
        return float(chains.size)
    covariance = _autocovariance(chains).mean(axis=0)
    within = covariance[0] * count / (count - 1)
    total = within * (count - 1) / count + (float(chains.mean(axis=1).var(ddof=1)) if number > 1 else 0.0)
    correlation = 1.0 - (within - covariance) / total
    correlation[0] = 1.0
    kept = np.zeros(count)
    kept[:2] = correlation[:2]
    even, odd, lag = 1.0, float(correlation[1]), 1
    while lag < count - 3 and even + odd > 0:
        even, odd = float(correlation[lag + 1]), float(correlation[lag + 2])
        if even + odd >= 0:
            kept[lag + 1], kept[lag + 2] = even, odd
        lag += 2
    last = lag - 2
    if even > 0:
        kept[last + 1] = even
    for lag in range(1, last - 1, 2):
        if kept[lag + 1] + kept[lag + 2] > kept[lag - 1] + kept[lag]:
            kept[lag + 1] = kept[lag + 2] = 0.5 * (kept[lag - 1] + kept[lag])
    time = -1.0 + 2.0 * float(kept[: last + 1].sum()) + float(kept[last + 1 : last + 2].sum())
    return chains.size / max(time, 1.0 / math.log10(chains.size))


def _autocovariance(chains: FloatArray) -> FloatArray:
    """Autocovariance of every chain at all lags, biased (over the number of draws); shape (chain, lag)."""
    count = chains.shape[1]
    padded = 1 << (2 * count - 1).bit_length()
    spectrum = np.fft.rfft(chains - chains.mean(axis=1, keepdims=True), padded, axis=1)
    return np.asarray(np.fft.irfft(np.abs(spectrum) ** 2, padded, axis=1)[:, :count] / count)
