"""The orders of magnitude of a sweep, read off its runs; only priors use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surge_fit.model.run_noise import loss_noise, luck_of_best
from surge_fit.typing import FloatArray, IndexArray

DEFAULT_GRID_STEP = 0.7
"""Spacing of learning rates, in log units (a factor of two), where a batch size has only one."""


@dataclass(frozen=True, slots=True, eq=False)
class Scales:
    """Orders of magnitude read off the sweep; a cell is a batch size of a group.

    Attributes
    ----------
    log_learning_rate : float
        Mean over cells of the log learning rate of the best run; NaN without learning rates.
    curvature : float
        Typical curvature of the loss valley [loss per squared log learning rate].
    best_loss : ndarray, shape (cell,)
        Loss of the best run of each cell, without the luck that the least of many noisy losses has; the mean
        of the group's others where none finished.
    gap : ndarray, shape (cell,)
        Scale of the distance from the floor of each valley to that [loss]: grid spacing, and noise.
    log_fewest_steps : float
        Log of the fewest steps to the target of any run; NaN without a target.
    """

    log_learning_rate: float
    curvature: float
    best_loss: FloatArray
    gap: FloatArray
    log_fewest_steps: float


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """The runs at one batch size of one group."""

    group: int
    log_learning_rate: FloatArray
    """Log learning rates of its finished runs, shape (run,)."""
    loss: FloatArray
    """Final losses of the same runs, shape (run,)."""
    tried: FloatArray
    """Log learning rates of all its runs, whatever became of them."""


def data_scales(cells: Sequence[Cell], optima: FloatArray, reached: FloatArray) -> Scales:
    """Read the orders of magnitude off the runs.

    Parameters
    ----------
    cells : sequence of Cell
    optima : ndarray, shape (optimum,)
        Published optima [log learning rate]; empty where there are none.
    reached : ndarray, shape (run,)
        Steps to the target of the runs that reached it; empty where there are none.

    Returns
    -------
    Scales
    """
    best_loss, best_rate = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    step = np.full(len(cells), 2 * DEFAULT_GRID_STEP)
    depths, distances = [], []
    for c, cell in enumerate(cells):
        if not len(cell.loss):
            continue
        best = int(np.argmin(cell.loss))
        best_loss[c], best_rate[c] = cell.loss[best], cell.log_learning_rate[best]
        step[c] = _distance_to_neighbours(cell.tried, best_rate[c])
        depth = float(np.median(cell.loss) - cell.loss[best])
        distance = float(np.median(np.abs(cell.log_learning_rate - best_rate[c])))
        if depth > 0 and distance > 0:
            depths.append(depth)
            distances.append(distance)
    noise = loss_noise([(cell.log_learning_rate, cell.loss) for cell in cells])
    luck = np.array([luck_of_best(cell.loss, noise) if len(cell.loss) else 0.0 for cell in cells])
    curvature = 2 * float(np.median(depths)) / float(np.median(distances)) ** 2 if depths else 1.0
    centre = optima if len(optima) else best_rate[~np.isnan(best_rate)]
    return Scales(
        log_learning_rate=float(centre.mean()) if len(centre) else np.nan,
        curvature=curvature,
        best_loss=_filled(best_loss + luck, np.array([cell.group for cell in cells], dtype=np.int64)),
        gap=np.hypot(0.5 * curvature * (step / 2) ** 2, noise),
        log_fewest_steps=float(np.log(reached.min())) if len(reached) else np.nan,
    )


def _filled(best_loss: FloatArray, group: IndexArray) -> FloatArray:
    """Give cells without a finished run the mean of their group, or of all."""
    has_best = ~np.isnan(best_loss)
    filled = best_loss.copy()
    for c in np.flatnonzero(~has_best):
        alike = has_best & (group == group[c])
        pool = alike if alike.any() else has_best
        filled[c] = best_loss[pool].mean() if pool.any() else 0.0
    return filled


def _distance_to_neighbours(tried: FloatArray, best: float) -> float:
    """From the best learning rate to its farther neighbour in the grid; doubled on the grid's edge."""
    below, above = tried[tried < best], tried[tried > best]
    sides = ([best - below.max()] if len(below) else []) + ([above.min() - best] if len(above) else [])
    if not sides:
        return 2 * DEFAULT_GRID_STEP
    return float(max(sides)) * (1.0 if len(sides) == 2 else 2.0)
