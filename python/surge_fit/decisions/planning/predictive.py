"""Posterior predictive of runs not yet made, their fantasies, and the likelihood of the draws after one.

A fantasy is a simulated outcome, a loss or a divergence.

A loss at a batch size never tried lies above a floor that nobody has seen. The floor is predicted by a
line in log batch size through the floors of the tried ones, with their scatter around it. It is not drawn
for the draws that are weighed: each carries its mean and variance and updates both with every loss, as a
Kalman filter does, so that few draws suffice to tell what only the difference of two losses can say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surge_fit.decisions.landscape import depth, divergence_logit, landscape_of
from surge_fit.decisions.planning.information import Matrix
from surge_fit.law import Landscape
from surge_fit.model import loss_surface
from surge_fit.posterior.value import Posterior
from surge_fit.typing import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceDraws:
    """Joint draws of the loss surface at several batch sizes.

    Attributes
    ----------
    log_optimum, curvature, floor, floor_sd : ndarray, shape (draw, batch_size)
        `floor` is relative to a constant; `floor_sd` is 0 where the batch size was tried [loss].
    noise, shape_error : ndarray, shape (draw,)
    landscape : Landscape
        Valley and wall of every draw.
    """

    log_optimum: FloatArray
    curvature: FloatArray
    floor: FloatArray
    floor_sd: FloatArray
    noise: FloatArray
    shape_error: FloatArray
    landscape: Landscape

    def take(self, index: NDArray[np.int64]) -> SurfaceDraws:
        """Return some of the draws."""
        arrays = ("log_optimum", "curvature", "floor", "floor_sd", "noise", "shape_error")
        taken = {name: getattr(self, name)[index] for name in arrays}
        return SurfaceDraws(**taken, landscape=self.landscape.take(index))

    def depth(self, size: int, log_learning_rate: FloatArray) -> FloatArray:
        """Loss above the floor at the batch size of index `size`, shape (draw, rate)."""
        u = log_learning_rate[None, :] - self.log_optimum[:, size, None]
        return depth(self.landscape, self.curvature[:, size, None], u)

    def divergence_logit(self, size: int, log_learning_rate: FloatArray) -> FloatArray:
        """Log odds that a run diverges, shape (draw, rate)."""
        u = log_learning_rate[None, :] - self.log_optimum[:, size, None]
        return divergence_logit(self.landscape, u)

    def regret(self, size: int, log_learning_rate: FloatArray) -> Matrix:
        """Loss above the optimum's, divergence included, as in `surge_fit.recommend`; (draw, rate)."""
        depth = self.depth(size, log_learning_rate)
        diverged = 1 / (1 + np.exp(-np.clip(self.divergence_logit(size, log_learning_rate), -500, 500)))
        total = (1 - diverged) * depth + diverged * np.maximum(self.landscape.divergence_cost, depth)
        return total.astype(np.float32)


def predict_surface(posterior: Posterior, batch_size: FloatArray) -> SurfaceDraws:
    """Predict the loss surface at batch sizes, tried or not.

    Parameters
    ----------
    posterior : Posterior
        A fit of losses.
    batch_size : ndarray, shape (batch_size,)

    Returns
    -------
    SurfaceDraws
        Every draw of the posterior.
    """
    landscape = landscape_of(posterior)
    floor, floor_sd = _floors(posterior, batch_size)
    return SurfaceDraws(
        log_optimum=posterior.log_optimal_learning_rate(batch_size),
        curvature=landscape.curvature(np.log(batch_size)),
        floor=floor - float(posterior.observations.scales.best_loss.mean()),
        floor_sd=floor_sd,
        noise=posterior.draws("loss_noise"),
        shape_error=posterior.draws("shape_error"),
        landscape=landscape,
    )


def _floors(posterior: Posterior, batch_size: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the floor of every draw, each (draw, batch_size)."""
    tried, x = posterior.observations.batch_size, np.log(batch_size)
    floors = posterior.draws("floor")
    centre = float(np.log(tried).mean())
    offset = np.log(tried) - centre
    spread = float((offset**2).sum())
    level, slope = floors.mean(axis=1), floors @ offset / spread
    # Two floors lie on a line whatever they are: what they differ by then stands in for the scatter.
    line = level[:, None] + (slope[:, None] * offset if len(tried) > 2 else 0.0)
    scatter = np.sqrt(((floors - line) ** 2).sum(axis=1) / max(len(tried) - 2, 1))
    sd = np.maximum(scatter, float(posterior.observations.scales.gap.mean()))
    mean = level[:, None] + slope[:, None] * (x - centre)
    error = sd[:, None] * np.sqrt(1 + 1 / len(tried) + (x - centre) ** 2 / spread)
    for j in np.flatnonzero(np.isin(batch_size, tried)):
        mean[:, j] = floors[:, int(np.searchsorted(tried, batch_size[j]))]
        error[:, j] = 0.0
    return mean, error


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """Distribution of the floor at one batch size, for each believed draw.

    Attributes
    ----------
    mean, variance : ndarray of float32, shape (outcome, draw), or (1, draw) before any outcome
    """

    mean: Matrix
    variance: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Prospect:
    """One run that might be made: its fantasies, and its predictive distribution under every believed draw.

    Attributes
    ----------
    loss : ndarray of float32, shape (outcome, 1)
    survived : ndarray of bool, shape (outcome, 1)
    depth, noise_variance, log_survival, log_divergence : ndarray of float32, shape (1, draw)
        Loss above the floor, variance scale of the loss, log probabilities not to diverge and to diverge.
    """

    loss: Matrix
    survived: NDArray[np.bool_]
    depth: Matrix
    noise_variance: Matrix
    log_survival: Matrix
    log_divergence: Matrix

    def learn(self, floor: Floor) -> tuple[Matrix, Floor]:
        """Condition on each fantasy.

        The loss is Student's t around its prediction, its squared scale the noise's plus the floor's
        variance; exact where the floor is known.

        Parameters
        ----------
        floor : Floor

        Returns
        -------
        tuple of ndarray of float32, shape (outcome, draw), and Floor
            Log likelihood up to a constant of each fantasy, and the floor after it.
        """
        variance = self.noise_variance + floor.variance
        surprise = self.loss - (self.depth + floor.mean)
        # In place: memory, not arithmetic, is what this takes. NumPy's log is faster than its log1p.
        fit = surprise * surprise
        fit *= np.float32(1 / loss_surface.STUDENT_T_DEGREES) / variance
        fit += np.float32(1)
        np.log(fit, out=fit)
        fit *= np.float32(-(loss_surface.STUDENT_T_DEGREES + 1) / 2)
        fit += self.log_survival - np.float32(0.5) * np.log(variance)
        np.copyto(fit, self.log_divergence, where=~self.survived)
        if not floor.variance.any():
            return fit, floor
        gain: Matrix = floor.variance / variance * self.survived
        surprise *= gain
        surprise += floor.mean
        return fit, Floor(surprise, floor.variance - gain * floor.variance)


def fantasize(
    truth: SurfaceDraws, believed: SurfaceDraws, size: int, learning_rate: float, rng: np.random.Generator
) -> Prospect:
    """Fantasize a run once for every draw that plays the truth.

    Parameters
    ----------
    truth : SurfaceDraws
        With floors that are drawn: its `floor_sd` is not used.
    believed : SurfaceDraws
    size : int
        Index of the batch size.
    learning_rate : float
    rng : numpy.random.Generator

    Returns
    -------
    Prospect
    """
    rate = np.log([learning_rate])
    real = truth.depth(size, rate)
    scale = np.sqrt(loss_surface.loss_variance(truth.noise[:, None], truth.shape_error[:, None], real))
    loss = (
        truth.floor[:, size, None] + real + scale * rng.standard_t(loss_surface.STUDENT_T_DEGREES, real.shape)
    )
    logit = truth.divergence_logit(size, rate)
    depth, odds = believed.depth(size, rate).T, believed.divergence_logit(size, rate).T
    noise_variance = loss_surface.loss_variance(believed.noise, believed.shape_error, depth)
    return Prospect(
        loss=loss.astype(np.float32),
        survived=rng.logistic(size=logit.shape) > logit,
        depth=depth.astype(np.float32),
        noise_variance=noise_variance.astype(np.float32),
        log_survival=-np.logaddexp(0.0, odds).astype(np.float32),
        log_divergence=-np.logaddexp(0.0, -odds).astype(np.float32),
    )
