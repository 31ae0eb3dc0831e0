"""Draws of the loss around the optimum: the cost of a learning rate that is not the best."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from surge_fit.typing import FloatArray, IndexArray

_PER_DRAW = ("log_curvature", "curvature_slope", "rate", "asymmetry", "wall", "wall_width")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Landscape:
    """Curvature, valley and wall around the optimum, as `surge_fit.model.loss_surface` has them.

    At the distance u of a learning rate from a draw's optimum [natural log] the regret is
    ``(1 − π)·κ·h(u) + π·max(divergence_cost, κ·h(u))``, with the valley h, the probability of divergence π
    and the curvature κ, whose log is
    ``log_curvature + curvature_slope·(log(batch_size) − reference_log_batch_size)``.

    Attributes
    ----------
    log_curvature, curvature_slope : ndarray of shape (draw,) or ()
        Log of the curvature at the reference batch size, and its exponent in the batch size.
    reference_log_batch_size : float
        Natural log of the batch size at which `log_curvature` holds.
    rate, asymmetry : ndarray of shape (draw,) or ()
        Shape of the valley.
    wall, wall_width : ndarray of shape (draw,) or ()
        Distance at which half of the runs diverge (inf: none does), and width of the transition.
    divergence_cost : float
        Regret of a diverged run [nats], where the valley does not cost more.
    """

    log_curvature: FloatArray
    curvature_slope: FloatArray
    reference_log_batch_size: float
    rate: FloatArray
    asymmetry: FloatArray
    wall: FloatArray
    wall_width: FloatArray
    divergence_cost: float

    def __post_init__(self) -> None:
        for name in _PER_DRAW:
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))

    def take(self, index: slice | IndexArray) -> Landscape:
        """Return some of the draws; numbers that hold for all draws stay."""
        values = {name: getattr(self, name) for name in _PER_DRAW}
        return replace(self, **{name: value[index] for name, value in values.items() if value.ndim})

    def curvature(self, log_batch_size: FloatArray) -> FloatArray:
        """Curvature κ at batch sizes, shape (draw, batch_size) [nats]."""
        distance = log_batch_size - self.reference_log_batch_size
        exponent = self.log_curvature[..., None] + self.curvature_slope[..., None] * distance
        return np.asarray(np.exp(exponent))
