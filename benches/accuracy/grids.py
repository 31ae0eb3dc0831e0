"""Full grids of real runs: their true optimum at every batch size, and sparse designs drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from surge_fit import Sweep

POINTS = 5
"""Grid points around the best one through which the true optimum's parabola goes."""


@dataclass(frozen=True)
class Valley:
    """Mean loss over seeds against log learning rate at one batch size of a full grid."""

    batch_size: float
    log_rate: NDArray[np.float64]
    loss: NDArray[np.float64]
    optimum: float
    optimum_se: float

    def regret(self, log_rate: float) -> float:
        """Interpolated loss above the grid's best; beyond the grid, the loss at its edge."""
        return float(np.interp(log_rate, self.log_rate, self.loss) - self.loss.min())


def valley(batch_size: float, log_rate: NDArray[np.float64], loss: NDArray[np.float64]) -> Valley | None:
    """Average replicates and locate the optimum; None where the best run is at an edge of the grid."""
    rates = np.unique(log_rate)
    mean = np.array([loss[log_rate == rate].mean() for rate in rates])
    finite = np.isfinite(mean)
    rates, mean = rates[finite], mean[finite]
    if len(rates) < POINTS:
        return None
    best = int(np.argmin(mean))
    low = min(max(best - POINTS // 2, 0), len(rates) - POINTS)
    if best in (0, len(rates) - 1):
        return None
    x, y = rates[low : low + POINTS] - rates[best], mean[low : low + POINTS]
    design = np.stack([np.ones(POINTS), x, x**2], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    _, b, c = coefficients
    if c <= 0:
        return None
    vertex = -b / (2 * c)
    if not x[0] <= vertex <= x[-1]:
        return None
    residual = float(((y - design @ coefficients) ** 2).sum()) / (POINTS - 3)
    covariance = residual * np.linalg.inv(design.T @ design)
    slope = np.array([0.0, -1 / (2 * c), b / (2 * c**2)])
    se = float(np.sqrt(slope @ covariance @ slope))
    return Valley(batch_size, rates, mean, float(rates[best] + vertex), se)


def valleys(grid: Sweep) -> list[Valley]:
    """Every batch size of a grid whose optimum the grid brackets."""
    found = []
    loss = np.where(grid.is_finished, grid.loss, np.nan)
    for size in grid.batch_sizes:
        here = grid.batch_size == size
        found.append(valley(float(size), np.log(grid.learning_rate[here]), loss[here]))
    return [v for v in found if v is not None]


def design(grid: Sweep, rng: np.random.Generator, batches: int, rates: int, stride: int) -> Sweep:
    """Draw batch sizes at random and, at each, every `stride`-th learning rate from a random start.

    Of the rates so reached, `rates` neighbours are kept, those whose mean rank is best: a team that looks for
    the optimum does not stop far from it. One seed, where there are several.
    """
    chosen = np.zeros(len(grid), dtype=bool)
    one_seed = (
        np.ones(len(grid), bool) if grid.seed is None else grid.seed == rng.choice(np.unique(grid.seed))
    )
    for size in rng.choice(grid.batch_sizes, batches, replace=False):
        here = np.flatnonzero((grid.batch_size == size) & one_seed)
        here = here[np.argsort(grid.learning_rate[here])]
        coarse = here[rng.integers(stride) :: stride]
        loss = np.where(grid.is_finished[coarse], grid.loss[coarse], np.inf)
        best = int(np.argmin(loss))
        low = min(max(best - rates // 2 + int(rng.integers(2)), 0), max(len(coarse) - rates, 0))
        chosen[coarse[low : low + rates]] = True
    return grid.where(chosen)
