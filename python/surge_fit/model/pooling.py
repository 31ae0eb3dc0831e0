"""Partial pooling: parameters that differ between the groups of a sweep, drawn from one population.

A parameter of group g with covariates z_g (log, centred over the groups) is

    additive:  mean + trend·z_g + spread·offset_g,        offset_g ~ Normal(0, 1)
    positive:  mean · exp(spread·offset_g)

so that a group with few runs borrows from the others, as far as these agree, and a group that was never run
is drawn from the same population. The drift of the noise scale with the loss, B_noise = B*/L^(1/α)
(arXiv:1812.06162, appendix; arXiv:2405.14578, Eq. 23), is the trend of log B_noise on the covariate L.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from surge_fit.law import Law
from surge_fit.model.observations import Observations
from surge_fit.priors import HalfNormal, LogNormal, Normal, Prior, StudentT
from surge_fit.typing import Namespace

JOINT = "log_critical_ratio"
"""log B_crit − log B_noise, of models that have both."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """A parameter that differs between groups.

    Attributes
    ----------
    name : str
        Name of the value in every group; its population has
        ``name_mean``, ``name_spread`` and ``name_trend``.
    spread : Prior
        Prior of the standard deviation between groups.
    trend : Prior or None
        Prior of the change per e-fold of a covariate; None for parameters that follow none.
    """

    name: str
    spread: Prior
    trend: Prior | None


CENTRED = frozenset(
    {"log_reference_learning_rate", "log_curvature", "log_min_steps", "log_critical_batch_size"}
)
"""Pooled parameters in centred form, since the runs of each group pin them down: their values are sampled.
The others are non-centred: their offsets are sampled, which are nearly independent of the spread."""


def pooled_parameters(observations: Observations, law: Law) -> tuple[Pooled, ...]:
    """List the parameters that differ between groups, in the order of the model.

    Parameters
    ----------
    observations : Observations
    law : Law

    Returns
    -------
    tuple of Pooled
        All that would differ; of use only where `observations` has several groups.
    """
    trend = Normal(mean=0.0, sd=0.5)
    pooled: list[Pooled] = []
    if observations.has_learning_rates:
        pooled.append(Pooled("log_reference_learning_rate", _spread(0.3), trend))
        for parameter in law.parameters[1:]:
            if parameter.role == "batch_size_scale":
                pooled.append(Pooled(parameter.name, _spread(0.4), trend))
            elif parameter.prior is not None:
                pooled.append(Pooled(parameter.name, _shape_spread(parameter.prior), None))
    if len(observations.finished):
        pooled.append(Pooled("log_curvature", _spread(0.3), trend))
    if len(observations.steps):
        if not any(p.name == "log_noise_scale" for p in pooled):
            pooled.append(Pooled("log_critical_batch_size", _spread(0.4), trend))
        pooled.append(Pooled("log_min_steps", _spread(0.4), trend))
    return tuple(pooled)


def _spread(typical: float) -> Prior:
    """Far from zero: that groups agree to a percent no runs could tell, and it is slow to sample."""
    return LogNormal(median=typical, log_sd=0.8)


def _shape_spread(prior: Prior) -> Prior:
    match prior:
        case Normal(sd=width) | StudentT(scale=width):
            return _spread(0.3 * width)
    return _spread(0.2)


def is_additive(prior: Prior) -> bool:
    """Whether groups differ from their mean by a sum rather than a factor."""
    return not isinstance(prior, LogNormal | HalfNormal)


def in_groups(
    xp: Namespace, mean: Any, spread: Any, offset: Any, trend: Any | None, covariates: Any, *, additive: bool
) -> Any:  # an array of xp
    """Value of a pooled parameter in every group.

    Parameters
    ----------
    xp : namespace
        ``numpy`` or ``pytensor.tensor``.
    mean, spread : array of xp, shape (...)
    offset : array of xp, shape (..., group)
    trend : array of xp, shape (..., covariate), or None
    covariates : array, shape (group, covariate)
        Centred logarithms.
    additive : bool

    Returns
    -------
    array of xp, shape (..., group)
    """
    deviation = spread[..., None] * offset
    if not additive:
        return mean[..., None] * xp.exp(deviation)
    return expected_in_groups(mean, trend, covariates) + deviation


def expected_in_groups(mean: Any, trend: Any | None, covariates: Any) -> Any:
    """Expected value of a parameter in every group, given the population; arguments as for `in_groups`."""
    shift = covariates if trend is None else trend[..., None, :] * covariates
    return mean[..., None] + (0.0 if trend is None else 1.0) * shift.sum(axis=-1)


def at_cells(value: Any, cell_group: Any | None) -> Any:
    """Give every cell the value of its group.

    Parameters
    ----------
    value : array, shape (..., group), or (...) without groups
    cell_group : array of int, shape (cell,), or None without groups

    Returns
    -------
    array, shape (..., cell), or (..., 1) without groups
    """
    return value[..., None] if cell_group is None else value[..., cell_group]
