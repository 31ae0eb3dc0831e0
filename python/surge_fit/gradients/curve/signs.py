"""Whether batch means are Gaussian and their signs independent (arXiv:2405.14578, Fig. 8, as a test)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surge_fit._core import BatchSums
from surge_fit.gradients.curve.value import SignCheck
from surge_fit.gradients.noise import GradientStatistics, TensorStatistics
from surge_fit.typing import FloatArray

_LEAST_PAIRS = 8
"""Number of pairs of minibatches without a common row that it takes to compare how equally they agree."""


def check_signs(
    statistics: GradientStatistics,
    tensors: Sequence[BatchSums],
    total: BatchSums,
    batch_size: FloatArray,
    apart: NDArray[np.bool_] | None,
) -> tuple[SignCheck, ...]:
    """Compare signs with what the theory takes them for, per tensor and over all.

    Parameters
    ----------
    statistics : GradientStatistics
        With shapes.
    tensors : sequence of BatchSums
        In the order of `statistics`.
    total : BatchSums
        Over all tensors.
    batch_size : ndarray, shape (batch,)
        [examples], those resampled first.
    apart : ndarray of bool, shape (resample, size), or None
        Whether a minibatch shares no row with that of the next resample; None where directions are no signs.

    Returns
    -------
    tuple of SignCheck
    """
    pairs = zip((*statistics.tensors, statistics.total), (*tensors, total), strict=True)
    return tuple(_check(shape, sums, batch_size, apart) for shape, sums in pairs)


def _check(
    shape: TensorStatistics,
    sums: BatchSums,
    batch_size: FloatArray,
    apart: NDArray[np.bool_] | None,
) -> SignCheck:
    nothing = np.full(len(batch_size), math.nan)
    agreement, disagreement, effective = nothing, nothing, nothing
    overlaps = sums.overlaps
    resamples, sizes = overlaps.shape
    if apart is not None and resamples > 1:
        parameters, overlap_variance = sums.parameters, sums.overlap_variance
        agreement, disagreement, effective = nothing.copy(), nothing.copy(), nothing.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            agreement[:sizes] = sums.mean_expected[:sizes] / sums.expected_squared[:sizes]
            chance = sums.scatter[:sizes] / (resamples - 1)
            excess = np.maximum(sums.disagreement[:sizes] - chance, 0.0)
            disagreement[:sizes] = np.sqrt(excess / parameters)
        for place in np.flatnonzero(apart.sum(axis=0) >= _LEAST_PAIRS):
            unequal = overlaps[apart[:, place], place].var(ddof=1)
            expected = parameters * overlap_variance[place]
            effective[place] = min(expected / unequal, parameters) if unequal > 0 else parameters
    skewness = math.nan if shape.skewness is None else shape.skewness
    kurtosis = math.nan if shape.excess_kurtosis is None else shape.excess_kurtosis
    return SignCheck(
        name=shape.name,
        parameters=shape.parameters,
        batch_size=batch_size,
        skewness=skewness / np.sqrt(batch_size),
        excess_kurtosis=kurtosis / batch_size,
        agreement=agreement,
        disagreement=disagreement,
        effective_signs=effective,
    )
