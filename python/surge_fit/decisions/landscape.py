"""Posterior → the loss around its optimum, by which learning rates are weighed."""

from __future__ import annotations

from surge_fit.law import Landscape
from surge_fit.posterior.value import Posterior


def landscape_of(posterior: Posterior) -> Landscape:
    """Collect the draws of curvature, valley and wall.

    A diverged run costs the range of the losses seen, or more where the valley costs more.

    Parameters
    ----------
    posterior : Posterior
        Of losses.

    Returns
    -------
    Landscape
        One entry for each draw.
    """
    return Landscape(
        log_curvature=posterior.draws("log_curvature"),
        curvature_slope=posterior.draws("curvature_slope"),
        reference_log_batch_size=posterior.observations.log_reference_batch_size,
        rate=posterior.draws("valley_rate"),
        asymmetry=posterior.draws("valley_asymmetry"),
        wall=posterior.draws("wall"),
        wall_width=posterior.draws("wall_width"),
        divergence_cost=posterior.observations.loss_range,
    )
