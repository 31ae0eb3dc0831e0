"""Posterior → the loss around its optimum, by which learning rates are weighed."""

from __future__ import annotations

import numpy as np

from surge_fit.law import Landscape
from surge_fit.model import loss_surface
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray


def landscape_of(posterior: Posterior) -> Landscape:
    """Collect the draws of curvature, valley and wall.

    A diverged run costs the range of the losses seen, or more where the valley costs more.

    Parameters
    ----------
    posterior : Posterior
        A fit of losses.

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


def depth(landscape: Landscape, curvature: FloatArray, distance: FloatArray) -> FloatArray:
    """Loss above the optimum, as the valley has it.

    Parameters
    ----------
    landscape : Landscape
    curvature : ndarray, shape (draw, 1)
        At the batch size of the runs, from `Landscape.curvature`.
    distance : ndarray, shape (draw, run)
        Log learning rate minus that of the optimum.

    Returns
    -------
    ndarray, shape (draw, run)
    """
    shape = landscape.rate[:, None], landscape.asymmetry[:, None]
    return np.asarray(curvature * loss_surface.valley(np, distance, *shape))


def divergence_logit(landscape: Landscape, distance: FloatArray) -> FloatArray:
    """Log odds that runs at distances from the optimum diverge; both of shape (draw, run)."""
    wall, width = landscape.wall[:, None], landscape.wall_width[:, None]
    return np.asarray(loss_surface.divergence_logit(distance, wall, width))
