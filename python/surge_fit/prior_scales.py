"""Weakly informative priors, scaled by the data of one sweep."""

from __future__ import annotations

import math

from surge_fit.law import Law
from surge_fit.observations import Observations
from surge_fit.priors import HalfNormal, LogNormal, Normal, Prior, Priors, StudentT

FLOOR_GAP = StudentT(4.0, 0.5, 1.0)
"""How far the floor of a valley lies below its best run, in units of `Scales.gap`."""


def default_priors(observations: Observations, law: Law) -> Priors:
    """The priors that `fit` uses where none are passed.

    Learning rates are centred on the best runs of the sweep, batch sizes on those tried, losses on the depth
    of the valleys; shapes have the priors that the law declares. Print them, or replace some by name.

    Parameters
    ----------
    observations : Observations
        From `surge_fit.observations.observe`.
    law : Law

    Returns
    -------
    Priors
    """
    scales = observations.scales
    priors: dict[str, Prior] = {
        "log_reference_learning_rate": Normal(scales.log_learning_rate, 1.5),
    }
    for parameter in law.parameters[1:]:
        if parameter.role == "batch_size_scale":
            centre = observations.log_reference_batch_size
            priors[parameter.name] = Normal(centre, 3.5)
        elif parameter.prior is not None:
            priors[parameter.name] = parameter.prior
    priors["discrepancy_scale"] = LogNormal(0.3, 0.6)
    if len(observations.optimum):
        priors["optimum_noise"] = LogNormal(0.2, 0.6)
    if len(observations.finished):
        priors |= {
            "log_curvature": Normal(math.log(scales.curvature), 1.0),
            "curvature_slope": Normal(0.0, 0.25),
            "valley_rate": LogNormal(0.6, 0.4),
            "valley_asymmetry": Normal(0.8, 0.7),
            "floor_gap": FLOOR_GAP,
            "loss_noise": LogNormal(0.05 * scales.curvature, 1.0),
            "shape_error": HalfNormal(0.15),
        }
    if len(observations.wall):
        priors |= {"wall": LogNormal(2.5, 0.6), "wall_width": LogNormal(0.3, 0.5)}
    return Priors(priors)
