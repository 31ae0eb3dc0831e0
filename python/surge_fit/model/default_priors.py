"""Weakly informative priors, scaled by the data of one sweep."""

from __future__ import annotations

import math

from surge_fit.law import Law
from surge_fit.model.observations import Observations
from surge_fit.model.pooling import JOINT, pooled_parameters
from surge_fit.priors import HalfNormal, LogNormal, Normal, Prior, Priors, StudentT

FLOOR_GAP = StudentT(degrees=4.0, location=0.0, scale=5.0)
"""Prior of the distance from the best run of a valley, luck apart, to its floor, in units of `Scales.gap`."""


def default_priors(observations: Observations, law: Law) -> Priors:
    """The priors that `fit` uses where none are passed.

    Learning rates are centred on the best runs of the sweep, batch sizes on those tried, losses on the depth
    of the valleys, steps on the fewest seen; shapes have the priors that the law declares. Print them, or
    replace some by name.

    Where a law with a noise scale is fitted together with steps to a target, ``log_critical_ratio`` is the
    log of B_crit/B_noise, and its prior says how closely the two are tied: Normal(0, 0.5) loosely (default),
    Normal(0, 0.01) as one number, as arXiv:1812.06162 has it, Normal(0, 5) hardly at all.

    Of several groups, each parameter's prior is that of the mean over the population; ``…_spread`` is how far
    groups differ from it, ``…_trend`` how it moves per e-fold of a covariate (`surge_fit.model.pooling`).

    Parameters
    ----------
    observations : Observations
        From `surge_fit.model.observations.observe`.
    law : Law

    Returns
    -------
    Priors

    Examples
    --------
    >>> priors = sf.default_priors(sf.observe(sweep), sf.get_law("surge"))
    >>> print(priors["discrepancy_scale"])
    LogNormal(median 0.3, log-sd 0.6)
    """
    priors = _learning_rate_priors(observations, law) if observations.has_learning_rates else {}
    if len(observations.steps):
        # So wide that it bounds B_crit = E_min/S_min less than that one's own prior: small batch sizes alone
        # tell E_min, and a narrow prior of S_min would then pass for knowledge of B_crit.
        priors["log_min_steps"] = Normal(mean=observations.scales.log_fewest_steps, sd=5.0)
        if "log_noise_scale" in priors:
            priors[JOINT] = Normal(mean=0.0, sd=0.5)
        else:
            priors["log_critical_batch_size"] = _batch_size_prior(observations)
        priors |= {
            "steps_noise": LogNormal(median=0.1, log_sd=0.7),
            "steps_discrepancy_scale": LogNormal(median=0.05, log_sd=0.7),
        }
    if observations.groups:
        for pooled in pooled_parameters(observations, law):
            priors[f"{pooled.name}_spread"] = pooled.spread
            if observations.covariates.names and pooled.trend is not None:
                priors[f"{pooled.name}_trend"] = pooled.trend
    return Priors(priors)


def _batch_size_prior(observations: Observations) -> Prior:
    return Normal(mean=observations.log_reference_batch_size, sd=3.5)


def _learning_rate_priors(observations: Observations, law: Law) -> dict[str, Prior]:
    scales = observations.scales
    priors: dict[str, Prior] = {
        "log_reference_learning_rate": Normal(mean=scales.log_learning_rate, sd=1.5),
    }
    for parameter in law.parameters[1:]:
        if parameter.role == "batch_size_scale":
            priors[parameter.name] = _batch_size_prior(observations)
        elif parameter.prior is not None:
            priors[parameter.name] = parameter.prior
    priors["discrepancy_scale"] = LogNormal(median=0.3, log_sd=0.6)
    if len(observations.optimum):
        priors["optimum_noise"] = LogNormal(median=0.2, log_sd=0.6)
    if len(observations.finished):
        priors |= {
            "log_curvature": Normal(mean=math.log(scales.curvature), sd=1.0),
            "curvature_slope": Normal(mean=0.0, sd=0.25),
            "valley_rate": LogNormal(median=1.0, log_sd=0.6),
            "valley_asymmetry": Normal(mean=1.0, sd=0.7),
            "floor_gap": FLOOR_GAP,
            "loss_noise": LogNormal(median=0.08 * scales.curvature, log_sd=1.0),
            "shape_error": HalfNormal(sd=0.25),
        }
    if len(observations.wall):
        priors |= {"wall": LogNormal(median=2.5, log_sd=0.6), "wall_width": LogNormal(median=0.3, log_sd=0.5)}
    return priors
