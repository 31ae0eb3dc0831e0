"""Whether batch means are Gaussian and their signs independent (arXiv:2405.14578, Fig. 8, as a test)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from surge_fit.curve.value import SignCheck
from surge_fit.statistics import GradientStatistics, TensorStatistics
from surge_fit.typing import FloatArray

_OVERLAP_VARIANCE, _MEAN_EXPECTED, _EXPECTED_SQUARED, _DISAGREEMENT, _SCATTER = range(4, 9)


def check_signs(
    statistics: GradientStatistics,
    tensors: Sequence[Mapping[str, Any]],
    batch_size: FloatArray,
    resampled: FloatArray | None,
) -> tuple[SignCheck, ...]:
    """Compare signs with what the theory takes them for, per tensor and over all.

    Parameters
    ----------
    statistics : GradientStatistics
        With shapes.
    tensors : sequence of mapping
        Sums per tensor of a pass.
    batch_size : ndarray, shape (batch,)
        [examples], those resampled first.
    resampled : ndarray of bool, shape (batch,), or None
        Which of them have minibatches that hardly share rows; None where directions are no signs.

    Returns
    -------
    tuple of SignCheck
    """
    total = {
        "batches": sum(tensor["batches"] for tensor in tensors),
        "overlaps": sum(tensor["overlaps"] for tensor in tensors),
        "parameters": sum(tensor["parameters"] for tensor in tensors),
    }
    told = zip((*statistics.tensors, statistics.total), (*tensors, total), strict=True)
    return tuple(_check(shape, sums, batch_size, resampled) for shape, sums in told)


def _check(
    shape: TensorStatistics,
    sums: Mapping[str, Any],
    batch_size: FloatArray,
    resampled: FloatArray | None,
) -> SignCheck:
    nothing = np.full(len(batch_size), math.nan)
    agreement, disagreement, effective = nothing, nothing, nothing
    resamples, sizes = sums["overlaps"].shape
    if resampled is not None and resamples > 1:
        batches, parameters = sums["batches"][:sizes], sums["parameters"]
        agreement, disagreement, effective = nothing.copy(), nothing.copy(), nothing.copy()
        with np.errstate(divide="ignore", invalid="ignore"):
            agreement[:sizes] = batches[:, _MEAN_EXPECTED] / batches[:, _EXPECTED_SQUARED]
            chance = batches[:, _SCATTER] / (resamples - 1)
            excess = np.maximum(batches[:, _DISAGREEMENT] - chance, 0.0)
            disagreement[:sizes] = np.sqrt(excess / parameters)
            unequal = sums["overlaps"].var(axis=0, ddof=1)
            found = np.minimum(parameters * batches[:, _OVERLAP_VARIANCE] / unequal, parameters)
        effective[:sizes] = np.where(unequal > 0, found, parameters)
        for column in (agreement, disagreement, effective):
            column[~resampled.astype(bool)] = math.nan
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
