"""How well a posterior predicts the runs of a batch size that it has not seen.

The density of those runs is that of `surge_fit.model.in_pymc`, for one draw of the posterior at a time. What
only the unseen runs could tell, the floor of their valley, is integrated out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surge_fit import _core
from surge_fit.decisions.landscape import depth, divergence_logit, landscape_of
from surge_fit.model import loss_surface
from surge_fit.model.default_priors import FLOOR_GAP
from surge_fit.model.observations import Observations, Runs
from surge_fit.posterior.value import Posterior
from surge_fit.priors import StudentT
from surge_fit.typing import FloatArray

_DEVIATIONS = 4
"""Deviations from the law that are drawn for each draw of it: few come near the optimum of unseen runs."""

_MOST_DRAWS = 2000
"""Draws of a posterior at which runs are predicted: neighbouring ones say the same."""

_BLOCKS = 40
"""Blocks of consecutive draws, whose means give the Monte Carlo error."""

_STUDENT_T = StudentT(degrees=loss_surface.STUDENT_T_DEGREES, location=0.0, scale=1.0)


def held_out_log_density(
    posterior: Posterior, observations: Observations, batch_size_index: int
) -> FloatArray:
    """Log density of all runs of one batch size, for every draw of a posterior fitted without them.

    The optimum at that batch size is drawn from the law and, several times, from its discrepancy; the
    curvature of the valley follows its line in log batch size. The floor of the valley is integrated out
    against the prior that the model gives it, scaled by the best run of that batch size and the typical
    valley of *all* observations: the same for every law, so that laws are compared on equal terms. Finished,
    censored and diverged runs enter as in `surge_fit.model.in_pymc`; optimum points are the law seen with
    noise.

    Parameters
    ----------
    posterior : Posterior
        Fitted without the runs at that batch size.
    observations : Observations
        Those of the whole sweep.
    batch_size_index : int
        Which of ``observations.batch_size``.

    Returns
    -------
    ndarray, shape (draw,)
        In nats; of losses in the sweep's unit, or of log learning rates for optimum points. Of a long
        posterior, draws that are spread evenly over it.
    """
    size = observations.batch_size[batch_size_index]
    curve = posterior.law_draws.optimum([float(size)])
    every = math.ceil(len(curve) / _MOST_DRAWS)
    deviation = posterior.discrepancy(np.array([size]), _DEVIATIONS).reshape(-1, _DEVIATIONS)
    log_optimum = (curve + deviation)[::every].reshape(-1, 1)

    taken = np.repeat(np.arange(0, len(curve), every), _DEVIATIONS)

    def draws(name: str) -> FloatArray:
        return posterior.draws(name)[taken, None]

    def of_draws(log_density: FloatArray) -> FloatArray:
        each = np.logaddexp.reduce(log_density.reshape(-1, _DEVIATIONS), axis=1)
        return np.asarray(each - math.log(_DEVIATIONS))

    points = _at(observations.optimum, batch_size_index)
    if len(points.value):
        sd = np.sqrt(draws("optimum_noise") ** 2 + points.se**2)
        t = (points.value - log_optimum) / sd
        return of_draws((_STUDENT_T.log_density(t) - np.log(sd)).sum(axis=1))

    landscape = landscape_of(posterior).take(taken)
    seen = _at(observations.wall, batch_size_index)
    logit = divergence_logit(landscape, seen.log_learning_rate - log_optimum)
    total = -np.logaddexp(0.0, np.where(seen.value == 1, -logit, logit)).sum(axis=1)

    finished, censored = (
        _at(runs, batch_size_index) for runs in (observations.finished, observations.censored)
    )
    if len(finished.value) + len(censored.value) == 0:
        return of_draws(total)
    curvature = landscape.curvature(np.array([math.log(size)]))

    def residuals(runs: _Seen) -> tuple[FloatArray, FloatArray]:
        """Floor that each run implies, and the scale of its residual; both of shape (draw, run)."""
        below = depth(landscape, curvature, runs.log_learning_rate - log_optimum)
        variance = loss_surface.loss_variance(draws("loss_noise"), draws("shape_error"), below, runs.se)
        return runs.value - below, np.sqrt(variance)

    scales = observations.scales
    best, gap = float(scales.best_loss[batch_size_index]), float(scales.gap[batch_size_index])
    integral = _core.integrate_floor(
        *residuals(finished),
        *residuals(censored),
        divergence_logit(landscape, censored.log_learning_rate - log_optimum),
        (FLOOR_GAP.degrees, best - gap * FLOOR_GAP.location, gap * FLOOR_GAP.scale),
    )
    return of_draws(total + integral)


def log_mean(log_density: FloatArray) -> tuple[float, float]:
    """Log of the mean density over the draws, and its Monte Carlo standard error.

    Parameters
    ----------
    log_density : ndarray, shape (draw,)
        Chains one after another.

    Returns
    -------
    tuple of float
        The log of the mean [nats], and its standard error by batch means, which allow for the correlation
        of neighbouring draws.
    """
    highest = float(log_density.max())
    density = np.exp(log_density - highest)
    mean = float(density.mean())
    means = np.array([block.mean() for block in np.array_split(density, min(_BLOCKS, len(density)))])
    error = float(means.std(ddof=1) / math.sqrt(len(means))) / mean if len(means) > 1 else math.inf
    return highest + math.log(mean), error


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Runs of one batch size that enter one likelihood; arrays of shape (run,)."""

    log_learning_rate: FloatArray
    value: FloatArray
    se: FloatArray


def _at(runs: Runs, batch_size_index: int) -> _Seen:
    here: NDArray[np.bool_] = runs.cell_index == batch_size_index
    return _Seen(runs.log_learning_rate[here], runs.value[here], runs.se[here])
