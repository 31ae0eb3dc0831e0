"""Full grids of real runs: their optimum at every batch size, sparse designs drawn from them, an oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from surge_fit import Sweep

POINTS = 5
"""Grid points around the best one through which the true optimum's parabola goes."""

BUDGETS = {6: (2, 3), 12: (3, 4), 24: (4, 6)}
"""Runs of a design → how many batch sizes, and how many learning rates at each."""

STRIDE = 3
"""A design tries every third rate of the grid, or closer ones where the grid has too few."""


class Truth(Protocol):
    """What is known of one batch size: its optimal learning rate, and what any rate costs."""

    @property
    def batch_size(self) -> float:
        """In the grid's batch unit."""
        ...

    @property
    def optimum(self) -> float:
        """Natural log of the optimal learning rate."""
        ...

    @property
    def optimum_se(self) -> float:
        """Its standard error; zero where the truth is exact."""
        ...

    def regret(self, log_rate: float) -> float:
        """Loss at a log rate above the best loss."""
        ...


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
    """Average replicates and locate the optimum by a parabola through the points around the best one.

    None where the best run is at an edge of the grid, the grid has too few rates, or the parabola has no
    lowest point among them.
    """
    rates = np.unique(log_rate)
    mean = np.array([loss[log_rate == rate].mean() for rate in rates])
    finite = np.isfinite(mean)
    rates, mean = rates[finite], mean[finite]
    if len(rates) < POINTS:
        return None
    best = int(np.argmin(mean))
    if best in (0, len(rates) - 1):
        return None
    low = min(max(best - POINTS // 2, 0), len(rates) - POINTS)
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


def valleys(grid: Sweep) -> tuple[Valley, ...]:
    """Every batch size of a grid whose optimum the grid brackets."""
    loss = np.where(grid.is_finished, grid.loss, np.nan)
    found = []
    for size in grid.batch_sizes:
        here = grid.batch_size == size
        found.append(valley(float(size), np.log(grid.learning_rate[here]), loss[here]))
    return tuple(v for v in found if v is not None)


def oracle(truth: Sequence[Truth]) -> NDArray[np.float64]:
    """Log rates by one who saw all *other* batch sizes of the grid in full; shape (batch_size,).

    A parabola in log batch size through their optima by least squares; NaN with fewer than three others.
    """
    x = np.log([t.batch_size for t in truth])
    y = np.array([t.optimum for t in truth])
    rates = np.full(len(truth), np.nan)
    for j in range(len(truth)) if len(truth) > 3 else ():
        others = np.arange(len(truth)) != j
        rates[j] = np.polyval(np.polyfit(x[others] - x[j], y[others], 2), 0.0)
    return rates


def design(grid: Sweep, rng: np.random.Generator, batches: int, rates: int) -> Sweep | None:
    """Draw batch sizes at random and, at each, neighbours among every third learning rate.

    The rates reached start at a random one of the grid. Of these, `rates` neighbours are kept that lie around
    the best (a team that looks for the optimum does not stop far from it); whether it is left or right of
    their middle is random. One seed, where the grid has several. None where the grid has not enough batch
    sizes with enough rates.
    """
    one_seed = (
        np.ones(len(grid), bool) if grid.seed is None else grid.seed == rng.choice(np.unique(grid.seed))
    )
    runs_at = {size: np.flatnonzero((grid.batch_size == size) & one_seed) for size in grid.batch_sizes}
    enough = [size for size, here in runs_at.items() if len(here) >= rates]
    if len(enough) < batches:
        return None
    chosen = np.zeros(len(grid), dtype=bool)
    for size in rng.choice(enough, batches, replace=False):
        here = runs_at[size]
        here = here[np.argsort(grid.learning_rate[here])]
        stride = min(STRIDE, len(here) // rates)
        coarse = here[rng.integers(stride) :: stride]
        loss = np.where(grid.is_finished[coarse], grid.loss[coarse], np.inf)
        best = int(np.argmin(loss))
        low = min(max(best - rates // 2 + int(rng.integers(2)), 0), len(coarse) - rates)
        chosen[coarse[low : low + rates]] = True
    return grid.where(chosen)
