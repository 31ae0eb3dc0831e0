"""Weak priors of the noise scale, measured on a gradient dump or read off a curve of learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from surge_fit.errors import InputError
from surge_fit.law import Law
from surge_fit.priors import Normal, Prior
from surge_fit.typing import BatchUnit, Path

if TYPE_CHECKING:
    from surge_fit.gradients.curve import LearningRateCurve
    from surge_fit.gradients.noise import GradientStatistics


def with_measured_noise_scale(
    priors: Mapping[str, Prior] | None,
    law: Law,
    batch_unit: BatchUnit,
    *,
    gradients: GradientStatistics | Path | None,
    curve: LearningRateCurve | Path | None,
) -> Mapping[str, Prior] | None:
    """Add the prior of the noise scale that gradients or a curve give to other priors.

    Parameters
    ----------
    priors : mapping of str to Prior, optional
    law : Law
        Law with that noise scale.
    batch_unit : {"examples", "sequences", "tokens"}
        Batch unit of the sweep.
    gradients, curve
        As for `surge_fit.fit`.

    Returns
    -------
    mapping of str to Prior, or None
        The priors as they are, where there are neither gradients nor a curve.

    Raises
    ------
    InputError
        If the law has no noise scale, its prior is given more than once, or gradients or curve cannot serve.
    """
    if gradients is not None:
        priors = _with(priors, prior_from_gradients(_one_checkpoint(gradients), batch_unit), "gradients", law)
    if curve is not None:
        priors = _with(priors, prior_from_curve(_loaded(curve), batch_unit), "a curve", law)
    return priors


def _with(priors: Mapping[str, Prior] | None, prior: Prior, origin: str, law: Law) -> dict[str, Prior]:
    if not law.has_noise_scale:
        msg = (
            f"{origin.capitalize()} can inform only a law with a noise scale; {law.name!r} has none. "
            "Choose a law that has one (`surge-fit laws`), or fit without."
        )
        raise InputError(msg)
    if priors is not None and "log_noise_scale" in priors:
        msg = (
            f"The prior of 'log_noise_scale' must be given once; got {priors['log_noise_scale']} and "
            f"{origin}. Leave one of them out."
        )
        raise InputError(msg)
    return {**(priors or {}), "log_noise_scale": prior}


def _one_checkpoint(gradients: GradientStatistics | Path) -> GradientStatistics:
    from surge_fit.gradients.noise import GradientStatistics, load_statistics

    if isinstance(gradients, GradientStatistics):
        return gradients
    checkpoints = load_statistics(gradients)
    count = len(checkpoints)
    if count != 1:
        msg = f"Gradients must be of one checkpoint; '{gradients}' holds {count}. Measure one alone."
        raise InputError(msg)
    return checkpoints[0]


def _loaded(curve: LearningRateCurve | Path) -> LearningRateCurve:
    from surge_fit.gradients.curve import LearningRateCurve, load_curve

    return curve if isinstance(curve, LearningRateCurve) else load_curve(curve)


def prior_from_gradients(statistics: GradientStatistics, batch_unit: BatchUnit) -> Normal:
    """A weak prior of ``log_noise_scale`` from the simple noise scale of a gradient dump.

    The simple noise scale tr Σ/|G|² takes all directions for equally curved, belongs to one checkpoint, and
    is the noise scale of a law of the learning rate up to a factor that nobody knows (arXiv:1812.06162,
    Eq. 2.9 and section 2.2): whatever its own precision, it tells an order of magnitude.

    Parameters
    ----------
    statistics : GradientStatistics
        From `surge_fit.gradient_statistics`.
    batch_unit : {"examples", "sequences", "tokens"}
        Batch unit of the sweep.

    Returns
    -------
    Normal
        Centred on the log of the simple noise scale, with standard deviation √(1 + r²), where r is the
        statistic's relative error.

    Raises
    ------
    InputError
        If the statistics count something else than the sweep, or do not know the noise scale.
    """
    if statistics.unit != batch_unit:
        msg = (
            f"Gradients and sweep must count batches alike; {statistics.source} counts {statistics.unit}, "
            f"the sweep {batch_unit}. Convert the noise scale yourself, and pass it as the prior of "
            "'log_noise_scale', such as Normal(mean=log B, sd=1)."
        )
        raise InputError(msg)
    noise_scale, error = statistics.total.simple_noise_scale.value, statistics.total.relative_error
    if not (math.isfinite(noise_scale) and noise_scale > 0 and math.isfinite(error)):
        msg = (
            f"The noise scale of the gradients must be known, with its error; that of {statistics.source} is "
            f"{noise_scale:g} with a relative error of {error:g}. Dump more examples, or leave it out."
        )
        raise InputError(msg)
    return Normal(mean=math.log(noise_scale), sd=math.hypot(1.0, error))


def prior_from_curve(curve: LearningRateCurve, batch_unit: BatchUnit) -> Normal:
    """A weak prior of ``log_noise_scale`` from the shape of a learning-rate curve.

    The curve belongs to one step at one checkpoint; where it bends, two regimes meet, as they do at the
    noise scale of a law. Its height plays no part.

    Parameters
    ----------
    curve : LearningRateCurve
        From `surge_fit.learning_rate_curve`.
    batch_unit : {"examples", "sequences", "tokens"}
        Batch unit of the sweep.

    Returns
    -------
    Normal
        Centred on the log of the batch size at which the resampled curve has lost half of its slope, with
        standard deviation √(1 + s²), where s is its own.

    Raises
    ------
    InputError
        If the curve counts something else than the sweep, or does not bend within what its rows support.
    """
    if curve.unit != batch_unit:
        msg = (
            f"Curve and sweep must count batches alike; that of {curve.source} counts {curve.unit}, the "
            f"sweep {batch_unit}. Convert the batch size of its bend yourself, and pass it as the prior of "
            "'log_noise_scale', such as Normal(mean=log B, sd=1)."
        )
        raise InputError(msg)
    if curve.bend is None:
        msg = (
            f"The curve must bend within the batch sizes that its rows support; that of {curve.source} does "
            "not. Dump more examples, or leave it out."
        )
        raise InputError(msg)
    log_batch_size, deviation = curve.bend
    return Normal(mean=log_batch_size, sd=math.hypot(1.0, deviation))
