"""The discrepancy δ: how far the truth may wander from a law that is never exactly true.

A Gaussian process over log batch size with unit scale and squared-exponential covariance; the model
multiplies it by its own scale τ. Predictions at other batch sizes are exact conditional draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from surge_fit.typing import FloatArray, IndexArray, Namespace

LENGTH = 1.5
"""Length scale in log batch size: batch sizes a factor of 4.5 apart still resemble each other."""

JITTER = 1e-6
"""Added to the diagonal of every covariance matrix, so that it can be factorised."""


def _covariance(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * ((a[:, None] - b[None, :]) / LENGTH) ** 2), dtype=np.float64)


def cholesky(log_batch_size: FloatArray) -> FloatArray:
    """Lower Cholesky factor L of the covariance matrix, so that δ = τ L z with standard normal z.

    Parameters
    ----------
    log_batch_size : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, n)
    """
    jitter = JITTER * np.eye(len(log_batch_size))
    return np.asarray(
        np.linalg.cholesky(_covariance(log_batch_size, log_batch_size) + jitter), dtype=np.float64
    )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Covariance of all cells, which are independent between groups, row by row.

    Attributes
    ----------
    index : ndarray of int, shape (cell, m)
        The cells of the same group, m being the most that any group has; a cell's own where there are fewer.
    factor, whitening : ndarray, shape (cell, m)
        Rows of the lower Cholesky factor of the covariance matrix and of its inverse; zero where a group has
        fewer than m cells.
    log_determinant : float
        Log-determinant of the inverse factor.
    """

    index: IndexArray
    factor: FloatArray
    whitening: FloatArray
    log_determinant: float

    @classmethod
    def of(cls, log_batch_size: FloatArray, group: IndexArray) -> Rows:
        """Factorise the covariance matrix of every group.

        Parameters
        ----------
        log_batch_size : ndarray, shape (cell,)
        group : ndarray of int, shape (cell,)
        """
        members = [np.flatnonzero(group == g) for g in np.unique(group)]
        count, width = len(log_batch_size), max(len(cells) for cells in members)
        index = np.repeat(np.arange(count, dtype=np.int64)[:, None], width, axis=1)
        factor, whitening = np.zeros((count, width)), np.zeros((count, width))
        log_determinant = 0.0
        for cells in members:
            lower = cholesky(log_batch_size[cells])
            index[cells, : len(cells)] = cells
            factor[cells, : len(cells)] = lower
            whitening[cells, : len(cells)] = np.linalg.inv(lower)
            log_determinant -= float(np.log(np.diag(lower)).sum())
        return cls(index, factor, whitening, log_determinant)


def times(rows: Any, index: Any, values: Any) -> Any:
    """Product of a matrix given by its rows (`Rows`) with values of shape (..., cell)."""
    return (rows * values[..., index]).sum(axis=-1)


def deviate(mean: Any, scale: Any, rows: Rows, innovation: Any) -> Any:
    """The Gaussian process around its mean, as a function of standard normal numbers (non-centred).

    Parameters
    ----------
    mean, innovation : array of NumPy or PyTensor, shape (..., cell)
    scale : array, shape (...)
    rows : Rows
        Covariance of the cells.

    Returns
    -------
    array, shape (..., cell)
    """
    return mean + scale[..., None] * times(rows.factor, rows.index, innovation)


def log_density(xp: Namespace, value: Any, mean: Any, scale: Any, rows: Rows) -> Any:
    """Log density of the Gaussian process around its mean.

    Parameters
    ----------
    xp : namespace
        ``numpy`` or ``pytensor.tensor``.
    value, mean : array of xp, shape (..., cell)
    scale : array of xp, shape (...)
    rows : Rows
        Covariance of the cells.

    Returns
    -------
    array of xp, shape (...)
    """
    innovation = times(rows.whitening, rows.index, (value - mean) / scale[..., None])
    constant = rows.log_determinant - value.shape[-1] * (xp.log(scale) + 0.5 * math.log(2 * math.pi))
    return constant - 0.5 * (innovation**2).sum(axis=-1)


def conditional_draws(
    log_batch_size: FloatArray,
    discrepancy: FloatArray,
    scale: FloatArray,
    new_log_batch_size: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Continue draws of δ to other batch sizes.

    Parameters
    ----------
    log_batch_size : ndarray, shape (n,)
        Batch sizes at which δ is known.
    discrepancy : ndarray, shape (draw, n)
        δ there, in units of log learning rate.
    scale : ndarray, shape (draw,)
        τ of every draw.
    new_log_batch_size : ndarray, shape (m,)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (draw, m)
        Joint draws of δ at the new batch sizes given δ at the old ones.
    """
    factor = cholesky(log_batch_size)
    cross = _covariance(log_batch_size, new_log_batch_size)
    whitened_cross = np.linalg.solve(factor, cross)
    mean = np.linalg.solve(factor, discrepancy.T).T @ whitened_cross
    count = len(new_log_batch_size)
    conditional = _covariance(new_log_batch_size, new_log_batch_size) - whitened_cross.T @ whitened_cross
    conditional_factor = np.linalg.cholesky(conditional + 2 * JITTER * np.eye(count))
    noise = rng.standard_normal((len(scale), count)) @ conditional_factor.T
    return np.asarray(mean + scale[:, None] * noise, dtype=np.float64)
