"""How well a posterior predicts the runs of a batch size that it has not seen.

The density of those runs is that of `surge_fit.model`, for one draw of the posterior at a time. What only
the unseen runs could tell, the floor of their valley, is integrated out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surge_fit import surface
from surge_fit.observations import Observations, Runs
from surge_fit.posterior import Posterior
from surge_fit.prior_scales import FLOOR_GAP
from surge_fit.priors import StudentT
from surge_fit.typing import FloatArray

_POINTS = 512
"""Points of the integral over the floor, all runs together."""

_LEAST_POINTS = 9
"""… and at least so many around each run."""

_IN_CACHE = 4096
"""Points that are computed at a time: arrays that stay in the cache of a core and cost no new memory."""

_FACTORS = 16
"""Student's t factors of one logarithm: residuals of 1e9 scales do not overflow their product."""

_MOST_DRAWS = 2000
"""Draws of a posterior at which runs are predicted: neighbouring ones say the same."""

_BLOCKS = 40
"""Blocks of consecutive draws, whose means give the Monte Carlo error."""

_STUDENT_T = StudentT(surface.STUDENT_T_DEGREES, 0.0, 1.0)


def held_out_log_density(
    posterior: Posterior, observations: Observations, batch_size_index: int
) -> FloatArray:
    """Log density of all runs of one batch size, for every draw of a posterior fitted without them.

    The optimum at that batch size is drawn from the law and its discrepancy, the curvature of the valley
    follows its line in log batch size. The floor of the valley is integrated out against the prior that the
    model gives it, scaled by the best run of that batch size and the typical valley of *all* observations:
    the same for every law, so that laws are compared on equal terms. Finished, censored and diverged runs
    enter as in `surge_fit.model`; optimum points are the law seen with noise.

    Parameters
    ----------
    posterior : Posterior
        Fitted without the runs at that batch size.
    observations : Observations
        Of the whole sweep.
    batch_size_index : int
        Which of ``observations.batch_size``.

    Returns
    -------
    ndarray, shape (draw,)
        In nats; of losses in the sweep's unit, or of log learning rates for optimum points. Of a long
        posterior, draws that are spread evenly over it.
    """
    size = observations.batch_size[batch_size_index]
    log_optimum = posterior.log_optimal_learning_rate([float(size)])[:, :1]
    every = slice(None, None, math.ceil(len(log_optimum) / _MOST_DRAWS))
    log_optimum = log_optimum[every]

    def draws(name: str) -> FloatArray:
        return posterior.draws(name)[every, None]

    points = _at(observations.optimum, batch_size_index)
    if len(points.value):
        sd = np.sqrt(draws("optimum_noise") ** 2 + points.se**2)
        t = (points.value - log_optimum) / sd
        return np.asarray((_STUDENT_T.log_density(t) - np.log(sd)).sum(axis=1))

    wall, width = draws("wall"), draws("wall_width")
    seen = _at(observations.wall, batch_size_index)
    logit = surface.divergence_logit(seen.log_learning_rate - log_optimum, wall, width)
    total = -np.logaddexp(0.0, np.where(seen.value == 1, -logit, logit)).sum(axis=1)

    finished, censored = (
        _at(runs, batch_size_index) for runs in (observations.finished, observations.censored)
    )
    if len(finished.value) + len(censored.value) == 0:
        return np.asarray(total)
    lever = math.log(size) - posterior.observations.log_reference_batch_size
    scales = observations.scales
    integral = _integrate_floor(
        *_residuals(draws, finished, log_optimum, lever),
        *_residuals(draws, censored, log_optimum, lever),
        surface.divergence_logit(censored.log_learning_rate - log_optimum, wall, width),
        location=float(
            scales.best_loss[batch_size_index] - scales.gap[batch_size_index] * FLOOR_GAP.location
        ),
        scale=float(scales.gap[batch_size_index] * FLOOR_GAP.scale),
    )
    return np.asarray(total + integral)


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


def _residuals(
    draws: Callable[[str], FloatArray], seen: _Seen, log_optimum: FloatArray, lever: float
) -> tuple[FloatArray, FloatArray]:
    """Where each run puts the floor, and the scale of its residual; both of shape (draw, run)."""
    curvature = np.exp(draws("log_curvature") + draws("curvature_slope") * lever)
    u = seen.log_learning_rate - log_optimum
    depth = curvature * surface.valley(np, u, draws("valley_rate"), draws("valley_asymmetry"))
    sd = np.sqrt(draws("loss_noise") ** 2 + (draws("shape_error") * depth) ** 2 + seen.se**2)
    return seen.value - depth, sd


def _integrate_floor(
    finished: FloatArray,
    finished_sd: FloatArray,
    censored: FloatArray,
    censored_sd: FloatArray,
    censored_logit: FloatArray,
    *,
    location: float,
    scale: float,
) -> FloatArray:
    """Log of ∫ prior(f) Π p(run | f) df over the floor f, shape (draw,).

    Each run says where the floor is (`finished`, `censored`: its loss or threshold less its valley) and how
    precisely; the prior does too. Around each of these places lie the midpoints of equal shares of a Cauchy
    distribution, dense near it and reaching far. With Q the sum of those Cauchy densities,
    ``∫ g = Σ_k ∫ (g/Q) q_k``, and each of these integrals is the mean of g/Q over the points of k: a midpoint
    rule of a smooth periodic integrand, exact to many digits wherever the places are and however they
    disagree.
    """
    ones = np.ones((len(finished), 1))
    places = np.concatenate([finished, censored, location * ones], axis=1)
    widths = np.concatenate([finished_sd, censored_sd, scale * ones], axis=1)
    share = max(_LEAST_POINTS, math.ceil(_POINTS / places.shape[1]))
    nodes = np.tan(np.pi * ((np.arange(share) + 0.5) / share - 0.5))
    count, last = finished.shape[1], places.shape[1] - 1

    def of_draws(some: slice) -> FloatArray:
        place, width = places[some, :, None], widths[some, :, None]
        floor = (place + width * nodes).reshape(len(place), -1)
        residuals = [(floor - place[:, k]) * (1.0 / width[:, k]) for k in range(last + 1)]
        squares = [residual * residual for residual in residuals]
        log_ratio = _log_student_t(squares[:count], surface.STUDENT_T_DEGREES)
        log_ratio += _log_student_t(squares[last:], FLOOR_GAP.degrees)
        log_ratio -= np.log(width[:, [*range(count), last], 0]).sum(axis=1)[:, None]
        for k in range(count, last):
            survival = surface.log_survival(np, -residuals[k])
            log_ratio += surface.log_huge_loss(np, censored_logit[some, k - count, None], survival)
        covered = sum((1.0 / (np.pi * width[:, k])) / (1.0 + square) for k, square in enumerate(squares))
        log_ratio -= np.log(covered)
        highest = log_ratio.max(axis=1)
        return np.asarray(highest + np.log(np.exp(log_ratio - highest[:, None]).sum(axis=1)))

    few = max(1, _IN_CACHE // (share * places.shape[1]))
    parts = [of_draws(slice(start, start + few)) for start in range(0, len(places), few)]
    return np.concatenate(parts) - math.log(share)


def _log_student_t(squares: Sequence[FloatArray], degrees: float) -> FloatArray:
    """Log density of independent residuals in units of their scales, given their squares: few logarithms."""
    total = np.asarray(len(squares) * StudentT(degrees, 0.0, 1.0).log_density(0.0))
    for start in range(0, len(squares), _FACTORS):
        product = math.prod(1.0 + square / degrees for square in squares[start : start + _FACTORS])
        total = total - 0.5 * (degrees + 1.0) * np.log(product)
    return total
