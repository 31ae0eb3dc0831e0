"""Sums over rows → statistics of each tensor, each group of tensors, and the total."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surge_fit import _core
from surge_fit._core import TensorSums
from surge_fit.gradients.noise.value import PROBABILITY, GradientStatistics, Quantity, TensorStatistics
from surge_fit.typing import FloatArray


def summarize(
    sums: Sequence[TensorSums],
    *,
    microbatch_size: FloatArray,
    row_groups: NDArray[np.int64] | None,
    patterns: Sequence[str],
    **facts: Any,
) -> GradientStatistics:
    """Compute the statistics of a checkpoint from the sums over its rows.

    Parameters
    ----------
    sums : sequence of TensorSums
    microbatch_size : ndarray, shape (row,)
    row_groups : ndarray of int, shape (row,), or None
    patterns : sequence of str
        Regular expressions that make groups of tensors.
    **facts
        The other fields of `GradientStatistics`.

    Returns
    -------
    GradientStatistics
    """
    estimator = Estimator(microbatch_size, row_groups)
    return GradientStatistics(
        microbatch_size=microbatch_size,
        row_groups=row_groups,
        patterns=tuple(patterns),
        sums=tuple(sums),
        tensors=tuple(estimator.statistics(held.name, [held]) for held in sums),
        groups=tuple(
            estimator.statistics(label, members) for label, members in _grouped(sums, patterns).items()
        ),
        total=estimator.statistics("total", sums),
        **facts,
    )


def _grouped(sums: Sequence[TensorSums], patterns: Sequence[str]) -> dict[str, list[TensorSums]]:
    """Tensors by what each pattern matches in their names, in the order of the model."""
    found: dict[str, list[TensorSums]] = {}
    for pattern in patterns:
        for held in sums:
            match = re.search(pattern, held.name)
            if match:
                found.setdefault(match.group(0).strip("._/"), []).append(held)
    return found


class Estimator:
    """Estimates from sums, for the rows of one dump.

    Parameters
    ----------
    microbatch_size : ndarray, shape (row,)
        Examples in each row of the dump.
    groups : ndarray of int, shape (row,), or None
        Group of each row.
    """

    def __init__(self, microbatch_size: FloatArray, groups: NDArray[np.int64] | None) -> None:
        self.microbatch_size, self.groups = microbatch_size, groups

    def statistics(self, name: str, sums: Sequence[TensorSums]) -> TensorStatistics:
        """Estimate the noise of some tensors together.

        Parameters
        ----------
        name : str
        sums : sequence of TensorSums

        Returns
        -------
        TensorStatistics
        """
        noise = _core.estimate_noise(sums, self.microbatch_size, self.groups, PROBABILITY)
        elements = sum(held.elements for held in sums)
        counted = sum(held.signal_parameters for held in sums)
        signal = sum(held.signal for held in sums) / counted if counted else math.nan
        return TensorStatistics(
            name=name,
            parameters=sum(held.parameters for held in sums),
            examples=float(max(self.microbatch_size[held.rows].sum() for held in sums)),
            gradient_norm_squared=quantity(noise["gradient_norm_squared"]),
            gradient_covariance_trace=quantity(noise["gradient_covariance_trace"]),
            inverse_noise_scale=quantity(noise["inverse_noise_scale"]),
            simple_noise_scale=inverted(quantity(noise["inverse_noise_scale"])),
            relative_error=noise["relative_error"],
            examples_needed=noise["examples_needed"],
            signal_to_noise=signal,
            resolvable_batch_size=self._resolvable(sums, signal),
            zero_fraction=_share(sum(held.zeros for held in sums), elements),
            subnormal_fraction=_share(sum(held.subnormals for held in sums), elements),
            non_finite_fraction=_share(sum(held.non_finite for held in sums), elements),
            skewness=_skewness(sums),
            excess_kurtosis=_kurtosis(sums),
        )

    def _resolvable(self, sums: Sequence[TensorSums], signal: float) -> Quantity:
        """Bound π/(2·mean δ²); its interval where the standardised sums are there."""
        if not len(sums[0].standardized_norms) or not any(held.signal_parameters for held in sums):
            return inverted(Quantity(signal, math.nan, (math.nan, math.nan)), math.pi / 2)
        found = _core.estimate_resolvable(sums, self.microbatch_size, PROBABILITY)
        return inverted(quantity(found), math.pi / 2)


def inverted(inverse: Quantity, factor: float = 1.0) -> Quantity:
    """Turn an estimate of 1/B into one of B: unbounded where 1/B may be zero.

    Parameters
    ----------
    inverse : Quantity
    factor : float
        Divided by it.

    Returns
    -------
    Quantity
        Its standard error by the delta method.
    """
    low, high = inverse.interval

    def turned(value: float) -> float:
        return value if math.isnan(value) else factor / value if value > 0 else math.inf

    value = turned(inverse.value)
    error = inverse.standard_error * value**2 / factor if math.isfinite(value) else math.inf
    return Quantity(value, error, (turned(high), turned(low)))


def quantity(found: tuple[float, float, float, float]) -> Quantity:
    """Name the parts of an estimate: value, standard error, and the ends of its interval."""
    value, error, low, high = found
    return Quantity(value, error, (low, high))


def _share(count: int, of: int) -> float:
    return count / of if of else 0.0


def _skewness(sums: Sequence[TensorSums]) -> float | None:
    """Root mean square skewness of the parameters, less what chance gives Gaussian ones."""
    counted = sum(held.signal_parameters for held in sums)
    if not counted or math.isnan(sums[0].skewness_squared):
        return None
    total = sum(held.skewness_squared for held in sums)
    chance = sum(held.signal_parameters * _skewness_by_chance(len(held.rows)) for held in sums)
    return math.sqrt(max(0.0, (total - chance) / counted))


def _skewness_by_chance(rows: int) -> float:
    """Variance of the sample skewness G₁ of Gaussian numbers."""
    return 6 * rows * (rows - 1) / ((rows - 2) * (rows + 1) * (rows + 3)) if rows > 2 else 0.0


def _kurtosis(sums: Sequence[TensorSums]) -> float | None:
    counted = sum(held.signal_parameters for held in sums)
    if not counted or math.isnan(sums[0].excess_kurtosis):
        return None
    return sum(held.excess_kurtosis for held in sums) / counted
