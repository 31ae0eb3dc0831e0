"""Value of information: expected value of sample information by nested reweighting.

One set of draws plays the truth and produces outcomes, another is what one believes. After an outcome every
believed draw weighs as much as its likelihood, and the best action is that of least weighted regret. The
value of the information is the mean over outcomes of the regret that the new action saves over the old one,

    EVSI = E_y [ Σ_m w_m(y) R_m(a₀) − min_a Σ_m w_m(y) R_m(a) ],        a₀ = argmin_a Σ_m R_m(a),

which is never negative and has less Monte Carlo error than the difference of two minima (Raiffa and Schlaifer
1961; Heath et al., arXiv:1905.12013). The truth is not among the believed draws, so no outcome is explained
by the very draw that made it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surge_fit.typing import FloatArray

Matrix = NDArray[np.float32]
"""Single precision: shape (outcome, draw), or (draw, action)."""

MIN_EFFECTIVE = 10.0
"""Effective draws that an outcome leaves at the least."""

_TEMPERING = 0.85

_ON_ONE_THREAD = 2**18
"""Multiplications of a matrix product up to which OpenBLAS wakes no other thread: waiting for one on a busy
machine takes many times as long as the product."""


def weights(log_likelihood: Matrix) -> Matrix:
    """Weigh every draw by the likelihood of each outcome.

    An outcome that fewer than `MIN_EFFECTIVE` effective draws explain has its likelihood raised to a power
    below one until that many do. It then counts as less informative than it is, so that values err on the
    low side; without it a handful of draws would look like certainty.

    Parameters
    ----------
    log_likelihood : ndarray of float32, shape (outcome, draw)
        Up to a constant of each outcome.

    Returns
    -------
    ndarray of float32, shape (outcome, draw)
        Rows sum to 1.
    """
    relative = log_likelihood - log_likelihood.max(axis=1, keepdims=True)
    weight, total, effective = _exponentials(relative)
    weight /= total[:, None]
    least = min(MIN_EFFECTIVE, weight.shape[1] / 2)
    poor = np.flatnonzero(effective < least)
    relative = relative[poor]
    while len(poor):
        relative *= np.float32(_TEMPERING)
        tempered, total, effective = _exponentials(relative)
        done = effective >= least
        weight[poor[done]] = tempered[done] / total[done, None]
        poor, relative = poor[~done], relative[~done]
    return weight


def _exponentials(relative: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Weights before they are normalised, their sums, and how many draws count; the latter two (outcome,)."""
    weight = np.exp(relative)
    total = weight.sum(axis=1)
    return weight, total, total * total / np.einsum("ij,ij->i", weight, weight)


def least_regret(regrets: Sequence[Matrix]) -> float:
    """Return the expected regret of the best action, averaged over decisions.

    Parameters
    ----------
    regrets : sequence of ndarray of float32, each (draw, action)
        One table for each decision.

    Returns
    -------
    float
    """
    return float(np.mean([table.mean(axis=0, dtype=np.float64).min() for table in regrets]))


def value_of_information(weight: Matrix, regrets: Sequence[Matrix]) -> float:
    """Estimate how far the outcomes shrink the expected regret, averaged over decisions.

    Parameters
    ----------
    weight : ndarray of float32, shape (outcome, draw)
        From `weights`.
    regrets : sequence of ndarray of float32, each (draw, action)

    Returns
    -------
    float
        At least 0.
    """
    saved = []
    for table in regrets:
        after = _product(weight, table)
        before = after[:, int(table.mean(axis=0, dtype=np.float64).argmin())]
        saved.append(float((before - after.min(axis=1)).mean(dtype=np.float64)))
    return float(np.mean(saved))


def _product(weight: Matrix, table: Matrix) -> Matrix:
    """Multiply, a few draws at a time, on this thread."""
    total = np.zeros((len(weight), table.shape[1]), dtype=np.float32)
    few = max(1, _ON_ONE_THREAD // total.size)
    for first in range(0, len(table), few):
        total += weight[:, first : first + few] @ table[first : first + few]
    return total


def interval_width(weight: Matrix | None, numbers: FloatArray, probability: float) -> float:
    """Estimate the mean width of the central intervals of numbers after the outcomes.

    Parameters
    ----------
    weight : ndarray of float32, shape (outcome, draw), or None
        From `weights`; None for equal weights.
    numbers : ndarray, shape (draw, decision)
    probability : float
        Probability of the interval.

    Returns
    -------
    float
        Mean over outcomes and decisions.
    """
    if weight is None:
        weight = np.full((1, len(numbers)), 1 / len(numbers), dtype=np.float32)
    tail = (1 - probability) / 2
    widths = []
    for column in numbers.T:
        order = np.argsort(column)
        ordered, below = column[order], np.cumsum(weight[:, order], axis=1, dtype=np.float64)
        low, high = (np.argmax(below >= share, axis=1) for share in (tail, 1 - tail))
        widths.append(float((ordered[high] - ordered[low]).mean()))
    return float(np.mean(widths))
