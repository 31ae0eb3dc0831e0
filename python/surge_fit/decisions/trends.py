"""The population of a pooled fit: its parameters, and how they follow the covariates of the groups."""

from __future__ import annotations

from dataclasses import dataclass

from surge_fit._support.intervals import Interval
from surge_fit.decisions.estimates import TAIL, ParameterEstimate, estimate_parameters
from surge_fit.errors import InputError
from surge_fit.model.pooling import pooled_parameters
from surge_fit.posterior.value import Posterior


@dataclass(frozen=True, slots=True)
class Trend:
    """How a parameter moves with a covariate.

    Attributes
    ----------
    covariate : str
    exponent : float
        Median of the exponent: of a scale, as covariate^exponent; of a shape, its change per e-fold.
    interval : tuple of float
        Central 90 % interval.
    """

    covariate: str
    exponent: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class PopulationEstimate:
    """One parameter over the population that the groups come from (`surge_fit.model.pooling`).

    Attributes
    ----------
    name : str
        ``reference_learning_rate`` (the law at the reference batch size), ``noise_scale`` and
        ``critical_batch_size`` [batch unit], ``min_steps``, ``curvature`` [loss], or a shape of the law.
    median : float
        Value for the group in the middle: covariates at their geometric mean.
    interval : tuple of float
        Central 90 % interval.
    spread : float
        Median of the standard deviation between groups of equal covariates: in natural log units of a
        parameter that groups scale, else in units of the parameter.
    spread_interval : tuple of float
        Central 90 % interval.
    trends : tuple of Trend
        One for each covariate that it may follow.
    """

    name: str
    median: float
    interval: tuple[float, float]
    spread: float
    spread_interval: tuple[float, float]
    trends: tuple[Trend, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """The population of a pooled fit, and every group of it.

    Attributes
    ----------
    parameters : tuple of PopulationEstimate
    groups : tuple of (str, tuple of ParameterEstimate)
        Label of every group, and `surge_fit.estimate_parameters` of it.
    """

    parameters: tuple[PopulationEstimate, ...]
    groups: tuple[tuple[str, tuple[ParameterEstimate, ...]], ...]


def estimate_population(posterior: Posterior) -> Population:
    """Estimate the population of a pooled fit, and every group of it.

    Parameters
    ----------
    posterior : Posterior
        A fit of several groups.

    Returns
    -------
    Population

    Raises
    ------
    InputError
        If the posterior is not one of several groups.
    """
    if not posterior.is_pooled:
        msg = (
            "A population is estimated from a fit of several groups; this one has one group. Read the sweep "
            "with group_by=…, or ask estimate_parameters(posterior)."
        )
        raise InputError(msg)
    return Population(
        parameters=tuple(
            _estimate(posterior, pooled.name)
            for pooled in pooled_parameters(posterior.observations, posterior.law)
        ),
        groups=tuple(
            (label, estimate_parameters(posterior.group(label))) for label in posterior.observations.groups
        ),
    )


def _estimate(posterior: Posterior, name: str) -> PopulationEstimate:
    mean = Interval.of(posterior.draws(f"{name}_mean"), TAIL)
    spread = Interval.of(posterior.draws(f"{name}_spread"), TAIL)
    middle = mean.exp() if name.startswith("log_") else mean
    trends = []
    if f"{name}_trend" in posterior.draw_groups["posterior"]:
        exponents = posterior.draws(f"{name}_trend")
        for covariate, draws in zip(posterior.covariates, exponents.T, strict=True):
            exponent = Interval.of(draws, TAIL)
            trends.append(Trend(covariate, exponent.median, exponent.ends))
    return PopulationEstimate(
        name=name.removeprefix("log_"),
        median=middle.median,
        interval=middle.ends,
        spread=spread.median,
        spread_interval=spread.ends,
        trends=tuple(trends),
    )
