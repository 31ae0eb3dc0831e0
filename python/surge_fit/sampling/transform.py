"""Draws → a transformation to positions in which the posterior is nearer to a normal one.

Where the noise of the losses is half as large, optima, floors and curvatures are known twice as well: the
posterior is a bundle of funnels, and a sampler's energy, which follows the log-determinant of their widths,
moves little from draw to draw. A first, short run shows how the widths follow the scales; the next one takes
its steps in units that move with them. The draws have the same distribution in any coordinates; they only mix
better in these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surge_fit.typing import FloatArray, IndexArray

_RIDGE = 0.05
"""Ridge penalty on the exponents, relative to the draws: they are few, and their widths are noisy."""

_LEAST = 0.1
"""Distances from the mean, in standard deviations, below which they say little about the width."""

_ALIKE = 0.9
"""Correlation of entries that are rotated together."""

_APART = 1e-6
"""Separation that keeps the eigenvectors of all others along their entries."""

_SEEN = 0.88
"""Share of a change of width that the logs of such distances show: 1 − E[ε²/(ε² + z²)], with z normal."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Transformed positions; ``src/posterior/geometry.rs`` says how the model's entries follow from them.

    Attributes
    ----------
    scales : ndarray of int, shape (scale,)
        Entries that are scales of others.
    reference : ndarray, shape (scale,)
        Magnitudes below which scales that are sampled with a sign hardly matter.
    centre : ndarray, shape (scale,)
        Means of their logs.
    others : ndarray of int, shape (other,)
        All other entries, block by block.
    blocks : ndarray of int, shape (block,)
        Number of them in each block; the first is the common block, on which the others may depend.
    mean : ndarray, shape (other,)
        Mean at the centre.
    slope : ndarray, shape (scale, other)
        How the mean moves with these logs.
    axes : ndarray, shape (axis · other,)
        Axes of each block, one block after another, each row-major; one standard deviation long.
    lean : ndarray, shape (axis of the common block, other beyond it)
        How the mean moves with the coordinates of the common block.
    exponent : ndarray, shape (scale, axis)
        How the log of their length moves with the logs of the scales.
    starts : ndarray, shape (chain, entry)
        The last draw of each chain, in these coordinates.
    """

    scales: IndexArray
    reference: FloatArray
    centre: FloatArray
    others: IndexArray
    blocks: IndexArray
    mean: FloatArray
    slope: FloatArray
    axes: FloatArray
    lean: FloatArray
    exponent: FloatArray
    starts: FloatArray


def learn(draws: FloatArray, scales: np.ndarray, signed: np.ndarray) -> Geometry:
    """Learn the geometry of a posterior from draws of it.

    Parameters
    ----------
    draws : ndarray, shape (chain, draw, entry)
        On the unconstrained scale.
    scales : ndarray of int, shape (scale,)
        Entries that are scales of others: their logarithms, or
    signed : ndarray of bool, shape (scale,)
        where this is true, numbers whose magnitude they are.

    Returns
    -------
    Geometry
    """
    positions = draws.reshape(-1, draws.shape[-1])
    others = np.setdiff1d(np.arange(positions.shape[1]), scales)
    own = positions[:, scales]
    reference = _positive(0.5 * np.median(np.abs(own), axis=0))
    logs = np.where(signed, 0.5 * np.log(own**2 + reference**2), own)
    centre = logs.mean(axis=0)
    logs -= centre

    values = positions[:, others]
    mean = values.mean(axis=0)
    slope = ridge(logs, values - mean, 1e-3)
    rest = values - mean - logs @ slope
    deviation = _positive(rest.std(axis=0))
    rest /= deviation
    count, size = rest.shape
    # Few draws: the correlation is shrunk towards none.
    correlation = (rest.T @ rest + size * np.eye(size)) / (count + size)
    variances, turned = np.linalg.eigh(correlation)
    # These axes are the nearest to the entries, which is where scales act; but entries that are nearly one
    # are rotated to their sum and difference, because one of the two is often skewed.
    alike = np.where(np.abs(correlation) > _ALIKE, correlation, 0.0) + np.diag(_APART * np.arange(size))
    paired = np.linalg.eigh(alike).eigenvectors
    root, inverse = ((turned * variances**power) @ turned.T for power in (0.5, -0.5))
    along = rest @ inverse @ paired
    widths = 0.5 * np.log(along**2 + _LEAST**2)
    exponent = ridge(logs, widths - widths.mean(axis=0), _RIDGE) / _SEEN

    coordinates = positions.copy()
    coordinates[:, others] = along / np.exp(logs @ exponent)
    return Geometry(
        scales=scales,
        reference=reference,
        centre=centre,
        others=others,
        blocks=np.array([size]),
        mean=mean,
        slope=slope,
        axes=(paired.T @ root * deviation).ravel(),
        lean=np.empty((size, 0)),
        exponent=exponent,
        starts=coordinates.reshape(draws.shape)[:, -1],
    )


def ridge(features: FloatArray, values: FloatArray, penalty: float) -> FloatArray:
    """Give the slopes of a ridge regression, its penalty relative to each feature's square."""
    squares = features.T @ features
    diagonal = np.diag(squares)
    squares = squares + np.diag(penalty * diagonal + (diagonal == 0))
    slopes: FloatArray = np.linalg.solve(squares, features.T @ values).astype(np.float64, copy=False)
    return slopes


def _positive(values: FloatArray) -> FloatArray:
    """Raise zeros to something to divide by."""
    return np.maximum(values, 1e-12)
