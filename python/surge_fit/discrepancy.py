"""The discrepancy δ: how far the truth may wander from a law that is never exactly true.

A Gaussian process over log batch size with unit scale and squared-exponential kernel; the model
multiplies it by its own scale τ. Predictions at other batch sizes are exact conditional draws.
"""

from __future__ import annotations

import numpy as np

from surge_fit.typing import FloatArray

LENGTH = 1.5
"""Length scale in log batch size: batch sizes a factor of 4.5 apart still resemble each other."""

JITTER = 1e-6
"""Added to the diagonal of every kernel matrix, so that it can be factorised."""


def _kernel(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-0.5 * ((a[:, None] - b[None, :]) / LENGTH) ** 2), dtype=np.float64)


def cholesky(log_batch_size: FloatArray) -> FloatArray:
    """Lower factor L of the kernel matrix, so that δ = τ L z with standard normal z.

    Parameters
    ----------
    log_batch_size : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n, n)
    """
    jitter = JITTER * np.eye(len(log_batch_size))
    return np.asarray(np.linalg.cholesky(_kernel(log_batch_size, log_batch_size) + jitter), dtype=np.float64)


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
        Where δ is known.
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
    cross = _kernel(log_batch_size, new_log_batch_size)
    half = np.linalg.solve(factor, cross)
    mean = np.linalg.solve(factor, discrepancy.T).T @ half
    count = len(new_log_batch_size)
    covariance = _kernel(new_log_batch_size, new_log_batch_size) - half.T @ half
    root = np.linalg.cholesky(covariance + 2 * JITTER * np.eye(count))
    noise = rng.standard_normal((len(scale), count)) @ root.T
    return np.asarray(mean + scale[:, None] * noise, dtype=np.float64)
