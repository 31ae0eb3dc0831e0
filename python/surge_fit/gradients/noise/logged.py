"""The noise scale from logged gradient norms at two batch sizes, where no gradients were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit import _core
from surge_fit.errors import InputError
from surge_fit.gradients.noise.summary import inverted, quantity
from surge_fit.gradients.noise.value import PROBABILITY, Quantity
from surge_fit.typing import FloatArray

_MIN_STEPS = 3


@dataclass(frozen=True, slots=True)
class LoggedNoise:
    """Gradient noise, as estimated from norms.

    Attributes
    ----------
    gradient_norm_squared : Quantity
        |G|² of the true gradient.
    gradient_covariance_trace : Quantity
        tr Σ of the gradient of one example.
    simple_noise_scale : Quantity
        tr Σ/|G|² [examples].
    """

    gradient_norm_squared: Quantity
    gradient_covariance_trace: Quantity
    simple_noise_scale: Quantity


def noise_scale_from_norms(
    small_batch_size: float | Sequence[float],
    small_norm_squared: Sequence[float],
    big_batch_size: float | Sequence[float],
    big_norm_squared: Sequence[float],
) -> LoggedNoise:
    """Estimate the noise scale from squared gradient norms at a small and a big batch size.

    Parameters
    ----------
    small_batch_size, big_batch_size : float or sequence of float
        Examples behind each gradient: of one micro-batch or rank, and of the whole batch.
    small_norm_squared, big_norm_squared : sequence of float, shape (step,)
        Squared norms; those of several small batches of a step are averaged by the caller, as squares.

    Returns
    -------
    LoggedNoise
        Means over the steps are taken before the ratio; intervals (95 %) by the jackknife over steps.

    Raises
    ------
    InputError
        If the sequences differ in length, hold fewer than three steps, or a big batch is not bigger.

    Notes
    -----
    arXiv:1812.06162, appendix A.1: |G|² = (B₂|G₂|² − B₁|G₁|²)/(B₂ − B₁) and
    tr Σ = (|G₁|² − |G₂|²)/(1/B₁ − 1/B₂).
    """
    given = (small_batch_size, small_norm_squared, big_batch_size, big_norm_squared)
    steps = len(np.atleast_1d(np.asarray(big_norm_squared)))
    small, small_norm, big, big_norm = (_column(values, steps) for values in given)
    if steps < _MIN_STEPS:
        msg = f"Norms of at least {_MIN_STEPS} steps must be given; got {steps}. Log more of them."
        raise InputError(msg)
    if not (big > small).all():
        step = int(np.flatnonzero(~(big > small))[0])
        msg = (
            f"The big batch must be bigger than the small one; at step {step} it has {big[step]:g} "
            "examples against "
            f"{small[step]:g}. Check their order."
        )
        raise InputError(msg)
    found = _core.estimate_two_batch_noise(small, small_norm, big, big_norm, PROBABILITY)
    return LoggedNoise(
        gradient_norm_squared=quantity(found["gradient_norm_squared"]),
        gradient_covariance_trace=quantity(found["gradient_covariance_trace"]),
        simple_noise_scale=inverted(quantity(found["inverse_noise_scale"])),
    )


def _column(values: float | Sequence[float], steps: int) -> FloatArray:
    column = np.asarray(values, dtype=np.float64)
    if column.ndim > 1 or (column.ndim == 1 and len(column) != steps):
        msg = f"Every sequence must have one number per step; got shapes {column.shape} and ({steps},)."
        raise InputError(msg)
    if not (np.isfinite(column) & (column >= 0)).all():
        msg = "Batch sizes and squared norms must be finite and not negative. Drop the other steps."
        raise InputError(msg)
    return np.ascontiguousarray(np.broadcast_to(column, steps))
